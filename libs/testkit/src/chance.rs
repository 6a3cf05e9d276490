//! Chance that can be had again.

/// A generator whose seed is printed; `GEARMESH_TEST_SEED` sets it.
///
/// # Panics
/// When that is not a number.
#[must_use]
#[expect(clippy::print_stdout, reason = "a failure is repeated from this line")]
pub fn chance() -> fastrand::Rng {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of the test run, not of the product"
    )]
    let set = std::env::var("GEARMESH_TEST_SEED").ok();
    let seed = set.map_or_else(
        || fastrand::u64(..),
        |text| text.parse().expect("GEARMESH_TEST_SEED is a number"),
    );
    println!("GEARMESH_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
