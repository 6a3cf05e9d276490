//! The bytes of a file: what the system shows, what the disk holds, what lies between.

use std::collections::HashMap;

use fastrand::Rng;

/// A change that is not known to be on the disk.
#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes: new } => {
                let end = at + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(new);
            }
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

/// The bytes of a file.
#[derive(Debug, Default)]
pub(crate) struct Image {
    /// What the system shows: its cache.
    now: Vec<u8>,
    /// What the disk is sure to hold.
    durable: Vec<u8>,
    /// What the cache has and the disk may have, oldest first.
    pending: Vec<Change>,
}

impl Image {
    /// A file that lies on the disk.
    pub(crate) fn durable(bytes: Vec<u8>) -> Self {
        Self {
            now: bytes.clone(),
            durable: bytes,
            pending: Vec::new(),
        }
    }

    /// What the system shows.
    pub(crate) fn now(&self) -> &[u8] {
        &self.now
    }

    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let change = Change::Write {
            at,
            bytes: bytes.to_vec(),
        };
        self.change(change);
    }

    pub(crate) fn set_length(&mut self, length: usize) {
        self.change(Change::Length(length));
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.pending.push(change);
    }

    /// A flush.
    pub(crate) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// A flush that failed: a part is on the disk, and the rest never will be, although the
    /// system shows it.
    pub(crate) fn sync_failed(&mut self, sector: usize, rng: &mut Rng) {
        self.durable = self.after_power_loss(sector, rng);
        self.pending.clear();
    }

    /// What the disk may show when the power comes back.
    pub(crate) fn after_power_loss(&self, sector: usize, rng: &mut Rng) -> Vec<u8> {
        let changes = self.pending.len();
        let last = rng.usize(..=changes);
        match rng.u8(..6) {
            // Nothing more, and everything.
            0 => self.at(sector, |_| 0, 0),
            1 => self.at(sector, |_| changes, changes),
            // In order, up to a moment.
            2 => self.at(sector, |_| last, last),
            // Out of order: each sector, and the length, as they were at a moment of their own.
            n => {
                let mut moments = HashMap::new();
                // Few sectors lag behind, or most do.
                let lag = [0.05, 0.5, 0.9][usize::from(n) - 3];
                let mut pick = || {
                    if rng.f64() < lag {
                        rng.usize(..=changes)
                    } else {
                        changes
                    }
                };
                let length = pick();
                self.at(
                    sector,
                    |sector| *moments.entry(sector).or_insert_with(&mut pick),
                    length,
                )
            }
        }
    }

    /// Each sector with as many of the pending changes as `moment` says for it, the length with
    /// `length` of them.
    fn at(&self, sector: usize, mut moment: impl FnMut(usize) -> usize, length: usize) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut long = self.durable.len();
        for (i, change) in self.pending.iter().enumerate() {
            match change {
                Change::Write { at, bytes: new } => {
                    let end = at + new.len();
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    let mut from = *at;
                    while from < end {
                        let number = from / sector;
                        let to = end.min((number + 1) * sector);
                        if i < moment(number) {
                            bytes[from..to].copy_from_slice(&new[from - at..to - at]);
                        }
                        from = to;
                    }
                    if i < length {
                        long = long.max(end);
                    }
                }
                // Lengths are the file system's own records, which it keeps in order: what lies
                // beyond is gone where the length is there, and only there.
                Change::Length(new) => {
                    if i < length {
                        long = *new;
                        if let Some(beyond) = bytes.get_mut(*new..) {
                            beyond.fill(0);
                        }
                    }
                }
            }
        }
        bytes.resize(long, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const SECTOR: usize = 4;

    fn seen(image: &Image) -> HashSet<Vec<u8>> {
        let mut rng = Rng::with_seed(7);
        (0..500)
            .map(|_| image.after_power_loss(SECTOR, &mut rng))
            .collect()
    }

    #[test]
    fn flushed_bytes_stay_and_others_may_go() {
        let mut image = Image::default();
        image.write(0, b"aaaa");
        image.sync();
        assert_eq!(seen(&image), HashSet::from([b"aaaa".to_vec()]));
        image.write(0, b"bbbb");
        let both = HashSet::from([b"aaaa".to_vec(), b"bbbb".to_vec()]);
        assert_eq!(seen(&image), both);
        assert_eq!(image.now(), b"bbbb");
    }

    #[test]
    fn write_is_torn_between_sectors_and_not_inside_of_one() {
        let mut image = Image::durable(b"aaaaaaaa".to_vec());
        image.write(0, b"bbbbbbbb");
        let expected = ["aaaaaaaa", "aaaabbbb", "bbbbaaaa", "bbbbbbbb"];
        let expected = expected.map(|text| text.as_bytes().to_vec());
        assert_eq!(seen(&image), HashSet::from(expected));
    }

    #[test]
    fn later_write_may_be_there_without_the_earlier() {
        let mut image = Image::default();
        image.write(0, b"aaaa");
        image.write(4, b"bbbb");
        let seen = seen(&image);
        assert!(seen.contains(b"\0\0\0\0bbbb".as_slice()), "{seen:?}");
        assert!(seen.contains(b"aaaa".as_slice()));
        assert!(seen.contains(b"".as_slice()));
    }

    #[test]
    fn cut_may_be_there_or_not() {
        let mut image = Image::durable(b"aaaabbbb".to_vec());
        image.set_length(4);
        image.write(4, b"cc");
        let seen = seen(&image);
        for expected in [&b"aaaabbbb"[..], b"aaaa", b"aaaacc"] {
            assert!(seen.contains(expected), "{seen:?}");
        }
    }

    #[test]
    fn failed_flush_is_not_made_good_by_the_next() {
        let mut lost = 0;
        for seed in 0..100 {
            let mut rng = Rng::with_seed(seed);
            let mut image = Image::durable(b"aaaa".to_vec());
            image.write(0, b"bbbb");
            image.sync_failed(SECTOR, &mut rng);
            image.sync();
            assert_eq!(image.now(), b"bbbb");
            lost += usize::from(image.after_power_loss(SECTOR, &mut rng) == b"aaaa");
        }
        assert!((10..90).contains(&lost), "{lost}");
    }
}
