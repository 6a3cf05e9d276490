//! Keys, and what is done with one.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, hmac, rand};
use zeroize::Zeroizing;

/// Bytes of every key here.
pub(crate) const KEY_BYTES: usize = 32;

/// Bytes of a nonce and of a tag of AES-256-GCM.
pub(crate) const NONCE_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// Bytes that proofs have.
pub(crate) const PROOF_BYTES: usize = 32;

/// A key; zeroed when dropped, never shown.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A key or nonce of the wrong length, a failed check, or no randomness.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<aws_lc_rs::error::Unspecified> for Failed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

impl Key {
    pub(crate) fn random() -> Result<Self, Failed> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn of(bytes: &[u8]) -> Result<Self, Failed> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        if bytes.len() != KEY_BYTES {
            return Err(Failed);
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &*self.0
    }

    /// Shows that two hold the same key, and nothing of the key: HKDF-Expand of
    /// SHA-256 with the use as info, one block.
    pub(crate) fn proof(&self, of: &str) -> [u8; PROOF_BYTES] {
        self.mac(&[of.as_bytes(), &[1]])
    }

    /// HMAC-SHA256 over parts.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; PROOF_BYTES] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &*self.0));
        for part in parts {
            context.update(part);
        }
        let mut out = [0; PROOF_BYTES];
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Whether a proof is this key's.
    pub(crate) fn proves(&self, of: &str, proof: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.proof(of), proof).is_ok()
    }

    /// Encrypts in place and appends the tag; answers the nonce, fresh and random.
    pub(crate) fn seal(
        &self,
        aad: &[u8],
        in_out: &mut Vec<u8>,
    ) -> Result<[u8; NONCE_BYTES], Failed> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*self.0)?;
        let nonce = key.seal_in_place_append_tag(Aad::from(aad), in_out)?;
        Ok(*nonce.as_ref())
    }

    /// Checks and decrypts in place; what is left is the plain text.
    pub(crate) fn open(
        &self,
        nonce: &[u8],
        aad: &[u8],
        in_out: &mut Vec<u8>,
    ) -> Result<(), Failed> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*self.0)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce)?;
        let length = key.open_in_place(nonce, Aad::from(aad), in_out)?.len();
        in_out.truncate(length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_never_shown_and_opens_its_own_alone() {
        let key = Key::random().unwrap();
        assert_eq!(format!("{key:?}"), "***");
        let mut text = b"plain".to_vec();
        let nonce = key.seal(b"here", &mut text).unwrap();
        assert_eq!(text.len(), 5 + TAG_BYTES);
        let open = |key: &Key, nonce: &[u8], aad: &[u8]| {
            let mut text = text.clone();
            key.open(nonce, aad, &mut text).map(|()| text)
        };
        assert_eq!(open(&key, &nonce, b"here").unwrap(), b"plain");
        assert!(open(&key, &nonce, b"there").is_err());
        assert!(open(&Key::random().unwrap(), &nonce, b"here").is_err());
        assert!(open(&key, &[0; NONCE_BYTES], b"here").is_err());
        assert!(Key::of(&[0; KEY_BYTES - 1]).is_err());
    }

    #[test]
    fn proof_is_the_first_block_of_hkdf_expand() {
        let key = Key::of(&[7; KEY_BYTES]).unwrap();
        let prk = aws_lc_rs::hkdf::Prk::new_less_safe(aws_lc_rs::hkdf::HKDF_SHA256, key.expose());
        let mut expected = [0; PROOF_BYTES];
        prk.expand(&[b"use"], aws_lc_rs::hkdf::HKDF_SHA256)
            .unwrap()
            .fill(&mut expected)
            .unwrap();
        assert_eq!(key.proof("use"), expected);
    }
}
