//! What travels beside a request.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderMap;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};

/// Names of the metadata that a call carries. Those that begin with `gearmesh-`
/// are set inside the mesh only; the gateway strips them from outside callers.
pub mod names {
    /// The caller's key: two sends with one key are one call.
    pub const KEY: &str = "idempotency-key";
    /// W3C trace context.
    pub const TRACE: &str = "traceparent";
    /// The run to which the call belongs.
    pub const RUN: &str = "gearmesh-run";
    /// The task within the run.
    pub const TASK: &str = "gearmesh-task";
    /// The item of an `each` task.
    pub const ITEM: &str = "gearmesh-item";
    /// The pass of a task that is run again on purpose.
    pub const PASS: &str = "gearmesh-pass";
    /// Fencing epoch of the orchestrator.
    pub const EPOCH: &str = "gearmesh-epoch";
    /// The attempt, from 1.
    pub const ATTEMPT: &str = "gearmesh-attempt";
    /// Folder of the workflow file, as percent-encoded text.
    pub const FOLDER: &str = "gearmesh-folder";
    /// Which engine of the process is meant, for services that several serve.
    pub const ENGINE: &str = "gearmesh-engine";
    /// The one instance of the engine that is meant.
    pub const INSTANCE: &str = "gearmesh-instance";
    /// On whose behalf the call is made.
    pub const PRINCIPAL: &str = "gearmesh-principal";
    /// What that one may do: scopes with blanks between them.
    pub const SCOPES: &str = "gearmesh-scopes";
    /// How often the engine itself may try again.
    pub const RETRIES: &str = "gearmesh-retries";
    /// The prefix that outside callers may not set.
    pub const INTERNAL_PREFIX: &str = "gearmesh-";
}

/// Largest idempotency key, in bytes: long enough for a user's own text.
pub const KEY_MAX: usize = 255;

/// Longest scopes of a caller, in bytes: 64 of them, as the identity engine gives at most.
const SCOPES_MAX: usize = 64 * 66;

/// What travels beside a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// Time left; the engine ends the call when it is over.
    pub timeout: Option<Duration>,
    /// Two sends with one key are one call.
    pub key: Option<String>,
    /// W3C trace context of the caller.
    pub trace: Option<String>,
    /// The run to which the call belongs.
    pub run: Option<String>,
    /// The task within the run.
    pub task: Option<String>,
    /// The item of an `each` task; 0 otherwise.
    pub item: u32,
    /// From 1; rises when a task is run again on purpose.
    pub pass: u32,
    /// Fencing epoch of the orchestrator; 0 for calls past it.
    pub epoch: u64,
    /// The attempt, from 1; 0 for calls past the orchestrator.
    pub attempt: u32,
    /// Folder of the workflow file.
    pub folder: Option<PathBuf>,
    /// How often the engine itself may try again; absent: its own rule.
    pub retries: Option<u32>,
    /// The one instance of the engine that is meant; absent: any.
    pub instance: Option<String>,
    /// On whose behalf the call is made; absent: nobody has logged in.
    pub principal: Option<String>,
    /// What that one may do: scopes with blanks between them; absent: everything.
    pub scopes: Option<String>,
}

/// A value that metadata cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// Empty, too long, or not printable ASCII.
    #[error("`{name}` must be 1 to {KEY_MAX} printable ASCII characters")]
    Value {
        /// Which one.
        name: &'static str,
    },
    /// Not the number that was expected.
    #[error("`{name}` must be a number")]
    Number {
        /// Which one.
        name: &'static str,
    },
}

impl Call {
    /// The key by which effects are known. Outside of a run it is the caller's own
    /// text, and counts for that caller alone: nobody gets the answer of another, or
    /// takes its keys beforehand. A run's key is the orchestrator's, who fences it by
    /// that.
    #[must_use]
    pub fn own_key(&self) -> Option<String> {
        let key = self.key.as_ref()?;
        Some(match (&self.run, &self.principal) {
            // No principal has a blank in its name.
            (None, Some(principal)) => format!("{principal} {key}"),
            _ => key.clone(),
        })
    }

    /// Writes the call into the metadata of a request.
    ///
    /// # Errors
    /// [`MetadataError::Value`] for a key that metadata cannot carry.
    pub fn write(&self, metadata: &mut MetadataMap) -> Result<(), MetadataError> {
        let mut text = |name: &'static str, value: &str| {
            if value.is_empty() || value.len() > KEY_MAX {
                return Err(MetadataError::Value { name });
            }
            let value =
                AsciiMetadataValue::try_from(value).map_err(|_| MetadataError::Value { name })?;
            metadata.insert(name, value);
            Ok(())
        };
        if let Some(key) = &self.key {
            text(names::KEY, key)?;
        }
        if let Some(trace) = &self.trace {
            text(names::TRACE, trace)?;
        }
        if let Some(run) = &self.run {
            text(names::RUN, run)?;
        }
        if let Some(instance) = &self.instance {
            text(names::INSTANCE, instance)?;
        }
        if let Some(principal) = &self.principal {
            text(names::PRINCIPAL, principal)?;
        }
        if let Some(task) = &self.task {
            text(names::TASK, &task_name(task))?;
        }
        if let Some(timeout) = self.timeout {
            text("grpc-timeout", &grpc_timeout(timeout))?;
        }
        let mut number = |name, value: u64| {
            if value != 0 {
                metadata.insert(name, AsciiMetadataValue::from(value));
            }
        };
        number(names::ITEM, u64::from(self.item));
        number(names::PASS, u64::from(self.pass));
        number(names::EPOCH, self.epoch);
        number(names::ATTEMPT, u64::from(self.attempt));
        if let Some(scopes) = &self.scopes {
            let value = AsciiMetadataValue::try_from(scopes.as_str())
                .ok()
                .filter(|_| scopes.len() <= SCOPES_MAX)
                .ok_or(MetadataError::Value {
                    name: names::SCOPES,
                })?;
            metadata.insert(names::SCOPES, value);
        }
        if let Some(retries) = self.retries {
            metadata.insert(names::RETRIES, AsciiMetadataValue::from(retries));
        }
        if let Some(folder) = &self.folder {
            let encoded = percent_encode(folder.as_os_str().as_encoded_bytes());
            let value =
                AsciiMetadataValue::try_from(encoded).map_err(|_| MetadataError::Value {
                    name: names::FOLDER,
                })?;
            metadata.insert(names::FOLDER, value);
        }
        Ok(())
    }

    /// Reads the call from the headers of a request.
    ///
    /// # Errors
    /// Names the first value that is not as it should be.
    pub fn read(headers: &HeaderMap) -> Result<Self, MetadataError> {
        let text = |name: &'static str| match headers.get(name) {
            None => Ok(None),
            Some(value) => match value.to_str() {
                Ok(text) if !text.is_empty() && text.len() <= KEY_MAX => Ok(Some(text.to_owned())),
                _ => Err(MetadataError::Value { name }),
            },
        };
        let number = |name: &'static str| match headers.get(name) {
            None => Ok(None),
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|t| t.parse::<u64>().ok())
                .map(Some)
                .ok_or(MetadataError::Number { name }),
        };
        let small = |name| {
            number(name)?
                .map(|n| u32::try_from(n).map_err(|_| MetadataError::Number { name }))
                .transpose()
        };
        Ok(Self {
            timeout: headers
                .get("grpc-timeout")
                .and_then(|v| parse_grpc_timeout(v.to_str().ok()?)),
            key: text(names::KEY)?,
            trace: text(names::TRACE).unwrap_or_default(),
            run: text(names::RUN)?,
            task: text(names::TASK)?
                .map(|t| percent_decode(t.as_bytes()).to_string_lossy().into_owned()),
            item: small(names::ITEM)?.unwrap_or_default(),
            pass: small(names::PASS)?.unwrap_or_default(),
            epoch: number(names::EPOCH)?.unwrap_or_default(),
            attempt: small(names::ATTEMPT)?.unwrap_or_default(),
            folder: headers
                .get(names::FOLDER)
                .map(|v| percent_decode(v.as_bytes())),
            retries: small(names::RETRIES)?,
            instance: text(names::INSTANCE)?,
            principal: text(names::PRINCIPAL)?,
            scopes: match headers.get(names::SCOPES).map(|v| v.to_str()) {
                None => None,
                Some(Ok(scopes)) if scopes.len() <= SCOPES_MAX => Some(scopes.to_owned()),
                // What cannot be read must not become everything.
                Some(_) => {
                    return Err(MetadataError::Value {
                        name: names::SCOPES,
                    });
                }
            },
        })
    }
}

/// A task's id as metadata can carry it: percent-encoded, and when that is too long
/// cut, with a hash of the whole. Who reads it compares it, and shows it.
fn task_name(task: &str) -> String {
    /// Room for the hash behind a cut id.
    const HASH: usize = 17;
    let encoded = percent_encode(task.as_bytes());
    if encoded.len() <= KEY_MAX {
        return encoded;
    }
    // FNV-1a: the same in every build, and nothing here is guarded by it.
    let hash = task.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}~{hash:016x}", &encoded[..KEY_MAX - HASH])
}

/// `TimeoutValue TimeoutUnit`, at most eight digits, as the gRPC protocol writes it.
pub(crate) fn grpc_timeout(timeout: Duration) -> String {
    const DIGITS: u128 = 99_999_999;
    for (value, unit) in [
        (timeout.as_nanos(), 'n'),
        (timeout.as_micros(), 'u'),
        (timeout.as_millis(), 'm'),
        (u128::from(timeout.as_secs()), 'S'),
    ] {
        if value <= DIGITS {
            return format!("{value}{unit}");
        }
    }
    format!("{}M", (timeout.as_secs() / 60).min(DIGITS as u64))
}

pub(crate) fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    let digits = text.get(..text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match text.as_bytes().last()? {
        b'H' => Duration::from_secs(n * 3600),
        b'M' => Duration::from_secs(n * 60),
        b'S' => Duration::from_secs(n),
        b'm' => Duration::from_millis(n),
        b'u' => Duration::from_micros(n),
        b'n' => Duration::from_nanos(n),
        _ => return None,
    })
}

fn percent_encode(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(bytes.len());
    for &b in bytes {
        if b.is_ascii_graphic() && b != b'%' {
            out.push(b as char);
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}

fn percent_decode(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&b, tail)) = rest.split_first() {
        let hex = (b == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match hex {
            Some(decoded) => {
                out.push(decoded);
                rest = &tail[2..];
            }
            None => {
                out.push(b);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(call: &Call) -> Result<Call, MetadataError> {
        let mut metadata = MetadataMap::new();
        call.write(&mut metadata)?;
        Call::read(&metadata.into_headers())
    }

    #[test]
    fn call_survives_the_way_over_metadata() {
        let call = Call {
            timeout: Some(Duration::from_millis(1500)),
            key: Some("refund-17".into()),
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            run: Some("run_36zn0sv00pg07".into()),
            task: Some("fetch".into()),
            item: 3,
            pass: 2,
            epoch: 1 << 48,
            attempt: 4,
            folder: Some("/home/é 100%".into()),
            retries: Some(0),
            instance: Some("http-1".into()),
            principal: Some("agent/reports".into()),
            scopes: Some("file:read state:*".into()),
        };
        assert_eq!(through(&call), Ok(call));
    }

    #[test]
    fn key_that_metadata_cannot_carry_is_refused() {
        let of = |key: &str| {
            through(&Call {
                key: Some(key.into()),
                ..Call::default()
            })
        };
        assert!(of(&"k".repeat(KEY_MAX)).is_ok());
        for bad in ["", "ä", "a\nb", &"k".repeat(KEY_MAX + 1)] {
            assert_eq!(
                of(bad),
                Err(MetadataError::Value { name: names::KEY }),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn task_of_any_name_can_be_carried() {
        let of = |task: &str| {
            let call = Call {
                task: Some(task.into()),
                ..Call::default()
            };
            through(&call).expect("carried").task.expect("a task")
        };
        for plain in ["fetch", "put-1", "übersicht", "a b\n100%"] {
            assert_eq!(of(plain), plain);
        }
        let long = "ü".repeat(200);
        assert_ne!(of(&long), of(&format!("{long}x")));
        assert_eq!(of(&long), of(&long));
    }

    #[test]
    fn long_timeouts_lose_precision_not_length() {
        for (timeout, text) in [
            (Duration::from_nanos(5), "5n"),
            (Duration::from_millis(99), "99000000n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_secs(3600), "3600000m"),
            (Duration::from_secs(86_400 * 365), "31536000S"),
        ] {
            assert_eq!(grpc_timeout(timeout), text);
            assert_eq!(parse_grpc_timeout(text), Some(timeout));
        }
        assert_eq!(parse_grpc_timeout("123456789S"), None);
        assert_eq!(parse_grpc_timeout("x"), None);
        assert_eq!(parse_grpc_timeout(""), None);
    }
}
