//! Where a connection leads: its string, taken apart.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::dialect::Dialect;
use crate::files::{File, Files};

/// How the driver is to connect.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Postgres(Box<PgConnectOptions>),
    MySql(Box<MySqlConnectOptions>),
    Sqlite(File),
}

/// What `sslmode` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tls {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Tls {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "disable" | "disabled" => Self::Disable,
            "allow" | "prefer" | "preferred" => Self::Prefer,
            "require" | "required" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" | "verify-identity" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl Target {
    /// Takes a connection string apart. What is wrong is said without quoting it:
    /// it holds a password.
    pub(crate) fn parse(
        dialect: Dialect,
        text: &str,
        ca: Option<&str>,
        files: &Files,
    ) -> Result<Self, String> {
        if dialect == Dialect::Sqlite {
            return files.open(text).map(Self::Sqlite);
        }
        let schemes: &[&str] = match dialect {
            Dialect::Postgres => &["postgresql", "postgres"],
            _ => &["mysql", "mariadb"],
        };
        let mut url = Url::parse(text).map_err(|e| format!("the connection string: {e}"))?;
        let Some(first) = schemes.first().filter(|_| schemes.contains(&url.scheme())) else {
            return Err(format!(
                "the connection string of type {} begins with {}://",
                dialect.name(),
                schemes.first().copied().unwrap_or_default()
            ));
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        if host.is_empty() || url.username().is_empty() {
            let what = "the connection string names a user and a host, as `user:password@host/db`";
            return Err(what.to_owned());
        }
        if host.contains(['%', '/']) {
            return Err("sockets of the file system are not opened".to_owned());
        }
        let options = Options::read(&url, dialect)?;
        url.set_query(None);
        url.set_fragment(None);
        let tls = options.tls.unwrap_or(if loopback(&host) && ca.is_none() {
            Tls::Prefer
        } else {
            Tls::VerifyFull
        });
        // The driver reads the one spelling alone.
        let text = url.as_str().replacen(url.scheme(), first, 1);
        match dialect {
            Dialect::Postgres => postgres(&url, &text, tls, ca, options),
            _ => mysql(&text, tls, ca, options),
        }
    }
}

/// What may stand behind `?`; all else could name files or change the session.
#[derive(Debug, Default)]
struct Options {
    tls: Option<Tls>,
    application: Option<String>,
    charset: Option<String>,
}

impl Options {
    fn read(url: &Url, dialect: Dialect) -> Result<Self, String> {
        let mut options = Self::default();
        for (key, value) in url.query_pairs() {
            match (&*key, dialect) {
                ("sslmode" | "ssl-mode", _) => {
                    let what = "`sslmode` is disable, prefer, require, verify-ca or verify-full";
                    options.tls = Some(Tls::parse(&value).ok_or(what)?);
                }
                ("application_name", Dialect::Postgres) => {
                    options.application = Some(value.into_owned());
                }
                ("charset", Dialect::MySql) if value.starts_with("utf8") => {
                    options.charset = Some(value.into_owned());
                }
                ("sslrootcert" | "ssl-ca", _) => {
                    return Err(
                        "the authority's certificate is given as `caCertificate`, not as a file"
                            .to_owned(),
                    );
                }
                (key, _) => {
                    return Err(format!("the connection string may not set `{key}`"));
                }
            }
        }
        Ok(options)
    }
}

/// Whether only this machine is meant.
fn loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || IpAddr::from_str(address).is_ok_and(|a| a.is_loopback())
}

fn postgres(
    url: &Url,
    text: &str,
    tls: Tls,
    ca: Option<&str>,
    options: Options,
) -> Result<Target, String> {
    let unreadable = |_| "the connection string cannot be read".to_owned();
    let mut target = PgConnectOptions::from_str(text)
        .map_err(unreadable)?
        .ssl_mode(match tls {
            Tls::Disable => PgSslMode::Disable,
            Tls::Prefer => PgSslMode::Prefer,
            Tls::Require => PgSslMode::Require,
            Tls::VerifyCa => PgSslMode::VerifyCa,
            Tls::VerifyFull => PgSslMode::VerifyFull,
        })
        .application_name(options.application.as_deref().unwrap_or("gearmesh"))
        .disable_statement_logging();
    // The driver would fill gaps from PG* of the environment: what a connection
    // does not say, it does not have.
    if url.password().is_none() {
        target = target.password("");
    }
    if url.port().is_none() {
        target = target.port(5432);
    }
    if url.path().trim_start_matches('/').is_empty() {
        let user = target.get_username().to_owned();
        target = target.database(&user);
    }
    if let Some(ca) = ca {
        target = target.ssl_root_cert_from_pem(ca.as_bytes().to_vec());
    }
    Ok(Target::Postgres(Box::new(target)))
}

fn mysql(text: &str, tls: Tls, ca: Option<&str>, options: Options) -> Result<Target, String> {
    let unreadable = |_| "the connection string cannot be read".to_owned();
    let mut target = MySqlConnectOptions::from_str(text)
        .map_err(unreadable)?
        .ssl_mode(match tls {
            Tls::Disable => MySqlSslMode::Disabled,
            Tls::Prefer => MySqlSslMode::Preferred,
            Tls::Require => MySqlSslMode::Required,
            Tls::VerifyCa => MySqlSslMode::VerifyCa,
            Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
        })
        .disable_statement_logging();
    if let Some(charset) = options.charset {
        target = target.charset(&charset);
    }
    if let Some(ca) = ca {
        target = target.ssl_ca_from_pem(ca.as_bytes().to_vec());
    }
    Ok(Target::MySql(Box::new(target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(dialect: Dialect, text: &str, ca: Option<&str>) -> Result<Target, String> {
        Target::parse(dialect, text, ca, &Files::new(&[], "/nowhere".into()))
    }

    fn mode(text: &str, ca: Option<&str>) -> String {
        match parse(Dialect::Postgres, text, ca) {
            Ok(Target::Postgres(options)) => format!("{:?}", options.get_ssl_mode()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn encryption_is_demanded_beyond_this_machine_unless_the_string_says_otherwise() {
        for (text, expected) in [
            ("postgresql://u:p@localhost/d", "Prefer"),
            ("postgresql://u:p@127.0.0.1/d", "Prefer"),
            ("postgres://u:p@[::1]/d", "Prefer"),
            ("postgresql://u:p@db.example/d", "VerifyFull"),
            ("postgresql://u:p@10.0.0.1/d", "VerifyFull"),
            ("postgresql://u:p@localhost.example/d", "VerifyFull"),
            ("postgresql://u:p@db.example/d?sslmode=disable", "Disable"),
            ("postgresql://u:p@db.example/d?sslmode=require", "Require"),
            (
                "postgresql://u:p@localhost/d?sslmode=verify-full",
                "VerifyFull",
            ),
        ] {
            assert_eq!(mode(text, None), expected, "{text}");
        }
        assert_eq!(
            mode("postgresql://u:p@localhost/d", Some("x")),
            "VerifyFull"
        );
    }

    #[test]
    fn strings_are_read_as_written() {
        let Ok(Target::Postgres(options)) =
            parse(Dialect::Postgres, "postgres://u%40x:p%2F@h/d%20e", None)
        else {
            panic!("is refused");
        };
        assert_eq!(options.get_username(), "u@x");
        assert_eq!(options.get_database(), Some("d e"));
        assert_eq!((options.get_host(), options.get_port()), ("h", 5432));
        let Ok(Target::MySql(options)) = parse(Dialect::MySql, "mariadb://u:p@h:1/d", None) else {
            panic!("is refused");
        };
        assert_eq!((options.get_host(), options.get_port()), ("h", 1));
    }

    #[test]
    fn what_a_string_may_not_say_is_refused_without_quoting_it() {
        for (dialect, text) in [
            (Dialect::Postgres, "mysql://u:canary@h/d"),
            (Dialect::Postgres, "postgresql://:canary@h/d"),
            (Dialect::Postgres, "postgresql://u:canary@/d"),
            (Dialect::Postgres, "postgresql://u:canary@%2Ftmp/d"),
            (Dialect::Postgres, "postgresql://u:canary@h/d?host=/tmp"),
            (
                Dialect::Postgres,
                "postgresql://u:canary@h/d?options=-c%20a=b",
            ),
            (
                Dialect::Postgres,
                "postgresql://u:canary@h/d?sslrootcert=/etc/x",
            ),
            (Dialect::Postgres, "postgresql://u:canary@h/d?sslkey=/etc/x"),
            (Dialect::Postgres, "postgresql://u:canary@h/d?sslmode=yes"),
            (Dialect::MySql, "mysql://u:canary@h/d?socket=/tmp/s"),
            (Dialect::MySql, "mysql://u:canary@h/d?timezone=x"),
            (Dialect::MySql, "canary"),
        ] {
            let error = parse(dialect, text, None).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
