//! What a bus must do, on both kinds.
#![allow(
    clippy::unwrap_used,
    reason = "a test may; clippy knows only functions marked as one"
)]

mod bench;
#[path = "suite/events.rs"]
mod events;
#[path = "suite/groups.rs"]
mod groups;

/// One test per case and kind.
macro_rules! suite {
    ($($of:ident :: $case:ident),* $(,)?) => {
        mod local {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$of::$case(super::bench::Bench::local()).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$of::$case(super::bench::Bench::redis().await).await;
            })*
        }
    };
}

suite!(
    events::publish_gives_one_order,
    events::repeat_of_an_id_is_the_first_event,
    events::payload_is_bounded_and_exact,
    events::patterns_choose_and_alone_sees_all,
    events::cursor_goes_on_without_loss,
    events::cursor_that_fell_out_is_refused,
    events::recent_is_newest_first_and_bounded,
    events::topics_tell_counts_and_subscribers,
    events::trim_removes_by_age_and_pattern,
    events::oldest_fall_out_beyond_what_is_kept,
    events::other_process_sees_what_is_published,
    events::slow_subscriber_gets_all_in_order,
    events::subscribers_are_bounded,
    groups::members_share_and_acknowledge,
    groups::pending_of_a_dead_member_goes_to_another,
    groups::member_that_comes_back_gets_its_own_at_once,
    groups::auto_ack_acknowledges_what_was_passed,
    groups::group_goes_on_where_it_stands,
    groups::group_keeps_its_topic_and_ends_when_deleted,
    groups::member_that_never_acknowledges_is_bounded,
    groups::groups_tell_lag_and_pending,
    groups::pattern_of_a_group_skips_others,
    groups::member_with_a_limit_takes_no_more,
);
