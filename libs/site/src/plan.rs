//! What the places of a process shall do.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What the places of a process shall do; read from `plant=NAME,crash=NAME:N,log=FILE`,
/// each part at most once, none needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The bug that is in.
    pub plant: Option<String>,
    /// Where the process ends.
    pub crash: Option<Crash>,
    /// File to which each name is added, on a line, when it is reached first.
    pub log: Option<PathBuf>,
}

/// Where a process ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// The place's name.
    pub name: String,
    /// The how manieth pass through it is the last; from 1.
    pub nth: u32,
}

/// A text that is no plan; it holds the part that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no plan: expected `plant=NAME`, `crash=NAME:N` or `log=FILE`",
            self.0
        )
    }
}

impl std::error::Error for Malformed {}

impl FromStr for Plan {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut plan = Self::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let malformed = || Malformed(part.to_owned());
            let (what, value) = part.split_once('=').ok_or_else(malformed)?;
            let fresh = match what {
                "plant" => plan.plant.replace(value.to_owned()).is_none(),
                "crash" => {
                    let (name, nth) = value.rsplit_once(':').ok_or_else(malformed)?;
                    let nth = nth.parse().ok().filter(|n| *n > 0);
                    let crash = Crash {
                        name: name.to_owned(),
                        nth: nth.ok_or_else(malformed)?,
                    };
                    plan.crash.replace(crash).is_none()
                }
                "log" => plan.log.replace(value.into()).is_none(),
                _ => false,
            };
            if !fresh || value.is_empty() {
                return Err(malformed());
            }
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plan_is_read() {
        let plan: Plan = "plant=lease.epoch,crash=commit.before:3,log=/tmp/a"
            .parse()
            .unwrap();
        assert_eq!(plan.plant.as_deref(), Some("lease.epoch"));
        let crash = plan.crash.unwrap();
        assert_eq!((crash.name.as_str(), crash.nth), ("commit.before", 3));
        assert_eq!(plan.log.unwrap().to_str(), Some("/tmp/a"));
        assert_eq!("".parse(), Ok(Plan::default()));
    }

    #[test]
    fn what_is_no_plan_is_named() {
        for bad in [
            "plant",
            "plant=",
            "crash=a",
            "crash=a:0",
            "crash=a:x",
            "other=a",
            "log=a,log=b",
        ] {
            let part = bad.rsplit(',').next().unwrap();
            assert_eq!(bad.parse::<Plan>(), Err(Malformed(part.into())), "{bad}");
        }
    }
}
