//! The form of an API token: `gearmesh_<id 8>_<secret 32><crc 6>`.
//!
//! The secret has 160 random bits, so a fast HMAC guards it as well as a slow hash
//! would. The checksum lets a scanner of leaked secrets tell a token from chance.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use gearmesh_runtime::read_private;
use zeroize::Zeroizing;

use crate::error::{Error, TokenRefused};

/// How every token begins, so that it is found where it should not be.
const PREFIX: &str = "gearmesh_";

const ID_LEN: usize = 8;
const SECRET_LEN: usize = 32;
const CRC_LEN: usize = 6;

/// Crockford's base 32 in lower case: nothing that is mistaken for another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// File of the key, beside the store.
const KEY_FILE: &str = "identity.token.key";

/// Bytes of the key: those of the hash.
const KEY_LEN: usize = 32;

/// A token in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) id: &'a str,
    pub(crate) secret: &'a str,
}

/// Makes a token.
pub(crate) fn make() -> Result<Zeroizing<String>, Error> {
    let mut random = Zeroizing::new([0u8; ID_LEN + SECRET_LEN]);
    aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| Error::Random)?;
    // 256 is a multiple of 32: every letter is as likely.
    let text = Zeroizing::new(random.iter().map(|b| letter(*b)).collect::<String>());
    let (id, secret) = text.split_at(ID_LEN);
    let body = Zeroizing::new(format!("{PREFIX}{id}_{secret}"));
    Ok(Zeroizing::new(format!("{}{}", *body, checksum(&body))))
}

/// Takes a token apart.
pub(crate) fn parse(token: &str) -> Result<Parts<'_>, TokenRefused> {
    let whole = PREFIX.len() + ID_LEN + 1 + SECRET_LEN + CRC_LEN;
    let known = |t: &str| t.bytes().all(|b| ALPHABET.contains(&b));
    if token.len() != whole || !token.is_ascii() {
        return Err(TokenRefused::Form);
    }
    let (body, crc) = token.split_at(whole - CRC_LEN);
    let (id, secret) = body
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('_'))
        .ok_or(TokenRefused::Form)?;
    let fits = id.len() == ID_LEN && known(id) && known(secret) && checksum(body) == crc;
    fits.then_some(Parts { id, secret })
        .ok_or(TokenRefused::Form)
}

fn checksum(body: &str) -> String {
    let crc = crc32c::crc32c(body.as_bytes());
    // Thirty of its bits, five to a letter.
    (0..CRC_LEN)
        .rev()
        .map(|n| {
            letter(
                crc.checked_shr(5 * n as u32)
                    .unwrap_or_default()
                    .to_le_bytes()[0],
            )
        })
        .collect()
}

fn letter(byte: u8) -> char {
    ALPHABET
        .get(usize::from(byte & 0x1f))
        .map_or('0', |b| char::from(*b))
}

/// The key under which secrets are stored: whoever reads the store alone can
/// neither use nor guess a token.
pub(crate) struct HmacKey(hmac::Key);

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

impl HmacKey {
    /// Reads the key of a folder; makes it the first time.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(KEY_FILE);
        let failed = |source| Error::File {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match made {
            Ok(mut file) => {
                let mut key = Zeroizing::new([0u8; KEY_LEN]);
                aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| Error::Random)?;
                file.write_all(key.as_slice()).map_err(failed)?;
                file.sync_all().map_err(failed)?;
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(e)),
        }
        let key = read_private(&path, "identity")?;
        if key.len() != KEY_LEN {
            return Err(Error::Config(format!(
                "`{}` must have {KEY_LEN} bytes; without it every token must be issued anew",
                path.display()
            )));
        }
        Ok(Self(hmac::Key::new(HMAC_SHA256, &key)))
    }

    /// What is stored of a token.
    pub(crate) fn of(&self, parts: Parts<'_>) -> Vec<u8> {
        hmac::sign(&self.0, &Self::signed(parts)).as_ref().to_vec()
    }

    /// Whether a stored value is that of a token; takes as long either way.
    pub(crate) fn is_of(&self, stored: &[u8], parts: Parts<'_>) -> bool {
        hmac::verify(&self.0, &Self::signed(parts), stored).is_ok()
    }

    fn signed(parts: Parts<'_>) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([parts.id.as_bytes(), b"_", parts.secret.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_has_its_form_and_survives_it() {
        let token = make().unwrap();
        assert_eq!(token.len(), 9 + 8 + 1 + 32 + 6);
        let parts = parse(&token).unwrap();
        assert_eq!((parts.id.len(), parts.secret.len()), (ID_LEN, SECRET_LEN));
        assert_ne!(*make().unwrap(), *token);
    }

    #[test]
    fn any_changed_letter_is_noticed() {
        let token = make().unwrap();
        for at in 0..token.len() {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(parse(&changed), Err(TokenRefused::Form), "{at}");
        }
        for bad in ["", "gearmesh_", &token[1..], &format!("{}0", *token), "ü"] {
            assert_eq!(parse(bad), Err(TokenRefused::Form));
        }
    }

    #[test]
    fn stored_value_is_of_one_token_and_one_key() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = [&folders[0], &folders[1]].map(|f| HmacKey::open(f.path()).unwrap());
        let (a, b) = (make().unwrap(), make().unwrap());
        let (a, b) = (parse(&a).unwrap(), parse(&b).unwrap());
        let stored = first.of(a);
        assert!(first.is_of(&stored, a));
        assert!(!first.is_of(&stored, b));
        assert!(!second.is_of(&stored, a));
        let again = HmacKey::open(folders[0].path()).unwrap();
        assert!(again.is_of(&stored, a));
    }
}
