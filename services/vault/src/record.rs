//! The format of what is stored, wrapped keys and values.
//!
//! A record holds, one after the other:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | magic, `GMVS` |
//! | 1 | format; another cipher is another format |
//! | 4 | version of the vault's key, big-endian |
//! | 12 + 32 + 16 | the record's own key, wrapped by the vault's: nonce, cipher text, tag |
//! | 32 | commitment to the record's key |
//! | 12 + n + 16 | the value: nonce, cipher text, tag |
//! | 4 | CRC-32C of all before, big-endian |
//!
//! The CRC tells damage from nothing else; the tags and the commitment, which is
//! checked before the value is decrypted, keep out those who can compute a CRC.
//! Before encryption a value gets its length in front and zeros behind, so that
//! the store does not show how long it is.

use zeroize::Zeroizing;

use crate::key::{Failed, KEY_BYTES, Key, NONCE_BYTES, PROOF_BYTES, TAG_BYTES};

const MAGIC: &[u8; 4] = b"GMVS";
const FORMAT: u8 = 1;

/// There is one tenant so far; it is bound all the same, so that records stay
/// apart when there are more.
const TENANT: &str = "default";

/// What the commitment is derived for.
const COMMITMENT: &str = "gearmesh vault record commitment";

const HEAD_BYTES: usize = MAGIC.len() + 1 + 4;
const WRAP_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const CRC_BYTES: usize = 4;
const LENGTH_BYTES: usize = 4;

/// Lengths are rounded up to a multiple of this, longer ones to an eighth of the
/// power of two below.
const BUCKET: usize = 64;

/// Where a record stands. It opens nowhere else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) vault: &'a str,
    /// The secret's name, or a connection's kind and name.
    pub(crate) path: [&'a str; 2],
    pub(crate) version: u64,
    pub(crate) created_ms: i64,
    /// What the value is, as `text/plain`.
    pub(crate) content_type: &'a str,
    pub(crate) kek_version: u32,
}

impl Place<'_> {
    /// What the value is bound to.
    fn aad(&self) -> Vec<u8> {
        bound(&[
            &[FORMAT],
            TENANT.as_bytes(),
            self.vault.as_bytes(),
            self.path[0].as_bytes(),
            self.path[1].as_bytes(),
            &self.version.to_be_bytes(),
            &self.created_ms.to_be_bytes(),
            self.content_type.as_bytes(),
        ])
    }

    /// What the record's key is bound to: all that, and the key that wraps it.
    fn wrap_aad(&self) -> Vec<u8> {
        bound(&[b"wrap", &self.aad(), &self.kek_version.to_be_bytes()])
    }
}

/// Parts with their lengths, so that no two lists give the same bytes.
pub(crate) fn bound(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Encrypts a value with a key of its own, which the vault's key wraps.
pub(crate) fn seal(kek: &Key, place: &Place<'_>, value: &[u8]) -> Result<Vec<u8>, Failed> {
    let key = Key::random()?;
    let mut record = Vec::with_capacity(value.len() + 256);
    record.extend_from_slice(MAGIC);
    record.push(FORMAT);
    record.extend_from_slice(&place.kek_version.to_be_bytes());
    record.extend_from_slice(&wrap(kek, &place.wrap_aad(), &key)?);
    record.extend_from_slice(&key.proof(COMMITMENT));
    // Becomes the cipher text where it stands; grown once, so that no copy stays behind.
    let length = padded(LENGTH_BYTES + value.len());
    let mut text = Vec::with_capacity(length + TAG_BYTES);
    text.extend_from_slice(
        &u32::try_from(value.len())
            .map_err(|_| Failed)?
            .to_be_bytes(),
    );
    text.extend_from_slice(value);
    text.resize(length, 0);
    let nonce = key.seal(&place.aad(), &mut text)?;
    record.extend_from_slice(&nonce);
    record.extend_from_slice(&text);
    record.extend_from_slice(&crc32c::crc32c(&record).to_be_bytes());
    Ok(record)
}

/// Decrypts a record that stands here. An error says no more than that it is not
/// as it was stored.
pub(crate) fn open(
    kek: &Key,
    place: &Place<'_>,
    record: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failed> {
    let (body, crc) = split_end(record, CRC_BYTES)?;
    if crc32c::crc32c(body).to_be_bytes() != crc {
        return Err(Failed);
    }
    let (head, body) = body.split_at_checked(HEAD_BYTES).ok_or(Failed)?;
    if head != [&MAGIC[..], &[FORMAT], &place.kek_version.to_be_bytes()].concat() {
        return Err(Failed);
    }
    let (wrapped, body) = body.split_at_checked(WRAP_BYTES).ok_or(Failed)?;
    let (commitment, body) = body.split_at_checked(PROOF_BYTES).ok_or(Failed)?;
    let (nonce, text) = body.split_at_checked(NONCE_BYTES).ok_or(Failed)?;
    let key = unwrap(kek, &place.wrap_aad(), wrapped)?;
    if !key.proves(COMMITMENT, commitment) {
        return Err(Failed);
    }
    let mut text = Zeroizing::new(text.to_vec());
    key.open(nonce, &place.aad(), &mut text)?;
    let (length, value) = text.split_at_checked(LENGTH_BYTES).ok_or(Failed)?;
    let length = u32::from_be_bytes(length.try_into().map_err(|_| Failed)?);
    let value = value.get(..length as usize).ok_or(Failed)?;
    Ok(Zeroizing::new(value.to_vec()))
}

/// Encrypts a key: nonce, cipher text, tag.
pub(crate) fn wrap(by: &Key, aad: &[u8], key: &Key) -> Result<Vec<u8>, Failed> {
    let mut text = Vec::with_capacity(KEY_BYTES + TAG_BYTES);
    text.extend_from_slice(key.expose());
    let nonce = by.seal(aad, &mut text)?;
    Ok([&nonce[..], &text].concat())
}

/// Decrypts a key that [`wrap`] encrypted.
pub(crate) fn unwrap(by: &Key, aad: &[u8], wrapped: &[u8]) -> Result<Key, Failed> {
    let (nonce, text) = wrapped.split_at_checked(NONCE_BYTES).ok_or(Failed)?;
    let mut text = Zeroizing::new(text.to_vec());
    by.open(nonce, aad, &mut text)?;
    Key::of(&text)
}

fn split_end(bytes: &[u8], end: usize) -> Result<(&[u8], &[u8]), Failed> {
    let at = bytes.len().checked_sub(end).ok_or(Failed)?;
    bytes.split_at_checked(at).ok_or(Failed)
}

fn padded(length: usize) -> usize {
    let step = (length.next_power_of_two() / 8).max(BUCKET);
    length.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place {
        vault: "work",
        path: ["", "token"],
        version: 3,
        created_ms: 1_700_000_000_000,
        content_type: "text/plain",
        kek_version: 1,
    };

    #[test]
    fn value_comes_back_in_every_length() {
        let kek = Key::random().unwrap();
        for length in [0, 1, 59, 60, 61, 1_000, 10_240, 1 << 20] {
            let value: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let record = seal(&kek, &PLACE, &value).unwrap();
            assert_eq!(*open(&kek, &PLACE, &record).unwrap(), value, "{length}");
        }
    }

    #[test]
    fn length_is_hidden_in_buckets() {
        let kek = Key::random().unwrap();
        let length = |n: usize| seal(&kek, &PLACE, &vec![b'x'; n]).unwrap().len();
        assert_eq!(length(0), length(60));
        assert_ne!(length(60), length(61));
        for n in 0..5_000 {
            let waste = padded(n + LENGTH_BYTES) - n - LENGTH_BYTES;
            assert!(waste <= BUCKET.max(n / 4), "{n}: {waste}");
        }
    }

    #[test]
    fn same_value_is_never_stored_alike() {
        let kek = Key::random().unwrap();
        let one = seal(&kek, &PLACE, b"same").unwrap();
        let two = seal(&kek, &PLACE, b"same").unwrap();
        assert_ne!(one[HEAD_BYTES..], two[HEAD_BYTES..]);
    }

    /// With a fresh CRC, so that the tags and not the CRC find it.
    fn resealed(mut record: Vec<u8>) -> Vec<u8> {
        let end = record.len() - CRC_BYTES;
        let crc = crc32c::crc32c(&record[..end]).to_be_bytes();
        record[end..].copy_from_slice(&crc);
        record
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let kek = Key::random().unwrap();
        let record = seal(&kek, &PLACE, b"value").unwrap();
        assert!(open(&kek, &PLACE, &record).is_ok());
        for byte in 0..record.len() {
            for bit in [0, 7] {
                let mut flipped = record.clone();
                flipped[byte] ^= 1 << bit;
                assert!(open(&kek, &PLACE, &flipped).is_err(), "byte {byte}");
                if byte < record.len() - CRC_BYTES {
                    let found = open(&kek, &PLACE, &resealed(flipped));
                    assert!(found.is_err(), "byte {byte} with its CRC");
                }
            }
        }
    }

    #[test]
    fn every_cut_and_addition_is_found() {
        let kek = Key::random().unwrap();
        let record = seal(&kek, &PLACE, b"value").unwrap();
        for length in 0..record.len() {
            assert!(open(&kek, &PLACE, &record[..length]).is_err(), "{length}");
        }
        assert!(open(&kek, &PLACE, &[&record[..], &[0]].concat()).is_err());
    }

    #[test]
    fn record_opens_in_its_own_place_alone() {
        let kek = Key::random().unwrap();
        let record = seal(&kek, &PLACE, b"value").unwrap();
        let elsewhere = [
            Place {
                vault: "play",
                ..PLACE
            },
            Place {
                vault: "wor",
                path: ["k", "token"],
                ..PLACE
            },
            Place {
                path: ["", "other"],
                ..PLACE
            },
            Place {
                path: ["token", ""],
                ..PLACE
            },
            Place {
                version: 2,
                ..PLACE
            },
            Place {
                created_ms: 0,
                ..PLACE
            },
            Place {
                content_type: "application/json",
                ..PLACE
            },
            Place {
                kek_version: 2,
                ..PLACE
            },
        ];
        for place in elsewhere {
            assert!(open(&kek, &place, &record).is_err(), "{place:?}");
        }
        assert!(open(&Key::random().unwrap(), &PLACE, &record).is_err());
    }
}
