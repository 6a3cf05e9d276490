//! Postfix and Dovecot, private to a test: one takes mail, the other keeps it.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

mod certificates;

use certificates::certificates;

use super::part::{Part, READY_MAX, free_port, open_folder};

/// Wait between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The only domain that it delivers to.
const DOMAIN: &str = "test";

/// Largest mail that it takes: 25 MB of files in base64, and some.
const MAIL_MAX: usize = 48 * 1024 * 1024;

/// The services of Postfix that delivery from SMTP to LMTP needs.
const MASTER: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A mail server for `anybody@test`, password `secret`.
///
/// SMTP takes mail after a login within TLS alone. `refused@test` is refused for
/// good, `later@test` for now.
#[derive(Debug)]
pub struct Mail {
    // Ended in this order; the folder last.
    postfix: Part,
    _dovecot: Part,
    ports: Ports,
    ca: String,
    other_ca: String,
    folder: TempDir,
}

#[derive(Debug)]
struct Ports {
    smtp: u16,
    smtps: u16,
    imap: u16,
    imaps: u16,
    lmtp: u16,
}

impl Mail {
    /// Starts both and waits until they answer.
    ///
    /// # Panics
    /// When one of them cannot be started, or does not answer.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("secret")
    }

    /// Starts both with another password for everybody.
    ///
    /// # Panics
    /// As [`Mail::start`].
    #[must_use]
    pub fn start_with(password: &str) -> Self {
        let folder = open_folder();
        let ports = Ports {
            smtp: free_port(),
            smtps: free_port(),
            imap: free_port(),
            imaps: free_port(),
            lmtp: free_port(),
        };
        let [ca, other_ca] = certificates(folder.path());
        for name in [
            "queue",
            "queue/private",
            "data",
            "box",
            "pc",
            "run",
            "state",
        ] {
            std::fs::create_dir_all(folder.path().join(name)).expect("the folder is ours");
        }
        let path = |name: &str| folder.path().join(name);
        run(Command::new("chown")
            .arg("postfix")
            .args([path("data"), path("queue/private")]));
        run(Command::new("chown").arg("mail:mail").args([path("box")]));
        let mut dovecot = dovecot(folder.path(), &ports, password);
        let mut postfix = postfix(folder.path(), &ports);
        let mut waited = Duration::ZERO;
        for (port, greeting) in [
            (ports.lmtp, "220 "),
            (ports.imap, "* OK "),
            (ports.smtp, "220 "),
        ] {
            while !greets(port, greeting) {
                for part in [&mut dovecot, &mut postfix] {
                    assert!(
                        !part.ended(),
                        "ended at its start: {}",
                        said(part, folder.path())
                    );
                }
                assert!(
                    waited < READY_MAX,
                    "port {port} does not greet: {}{}",
                    said(&dovecot, folder.path()),
                    said(&postfix, folder.path())
                );
                std::thread::sleep(LOOK);
                waited += LOOK;
            }
        }
        Self {
            postfix,
            _dovecot: dovecot,
            ports,
            ca,
            other_ca,
            folder,
        }
    }

    /// Where its SMTP is, with STARTTLS.
    #[must_use]
    pub fn smtp(&self) -> u16 {
        self.ports.smtp
    }

    /// Where its SMTP is, with TLS at once.
    #[must_use]
    pub fn smtps(&self) -> u16 {
        self.ports.smtps
    }

    /// Where its IMAP is, with STARTTLS.
    #[must_use]
    pub fn imap(&self) -> u16 {
        self.ports.imap
    }

    /// Where its IMAP is, with TLS at once.
    #[must_use]
    pub fn imaps(&self) -> u16 {
        self.ports.imaps
    }

    /// The certificate of the authority that signed its own, in PEM. Its own holds
    /// for 127.0.0.1 and localhost.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// The certificate of an authority of the same name that signed nothing.
    #[must_use]
    pub fn other_ca(&self) -> &str {
        &self.other_ca
    }

    /// Puts a raw message into a mailbox by LMTP, as it is.
    ///
    /// # Panics
    /// When it is not taken.
    pub fn deliver(&self, user: &str, raw: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports.lmtp)).expect("LMTP listens");
        stream.set_read_timeout(Some(READY_MAX)).expect("a timeout");
        let mut say = |text: &[u8], code: &str| {
            stream.write_all(text).expect("LMTP reads");
            let reply = reply(&mut stream);
            assert!(reply.starts_with(code), "{reply}");
        };
        say(b"", "220");
        say(b"LHLO here\r\n", "250");
        say(b"MAIL FROM:<>\r\n", "250");
        say(format!("RCPT TO:<{user}@{DOMAIN}>\r\n").as_bytes(), "250");
        say(b"DATA\r\n", "354");
        let mut data = Vec::with_capacity(raw.len() + 8);
        for line in raw.split_inclusive(|b| *b == b'\n') {
            if line.first() == Some(&b'.') {
                data.push(b'.');
            }
            data.extend_from_slice(line);
        }
        if !data.ends_with(b"\r\n") {
            data.extend_from_slice(b"\r\n");
        }
        data.extend_from_slice(b".\r\n");
        say(&data, "250");
    }

    /// What Postfix has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("pf.log")).unwrap_or_default()
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {}", said(&self.postfix, self.folder.path()));
        }
    }
}

fn dovecot(folder: &Path, ports: &Ports, password: &str) -> Part {
    let d = folder.display();
    let config = format!(
        "base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/dovecot.log
instance_name = gm
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{d}/cert.pem
ssl_key = <{d}/key.pem
auth_mechanisms = plain login
auth_username_format = %n
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{d}/box/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={d}/box/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  mailbox \"Entwürfe & mehr\" {{
    auto = create
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  unix_listener {d}/queue/private/auth {{
    mode = 0666
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
",
        imap = ports.imap,
        imaps = ports.imaps,
        lmtp = ports.lmtp,
    );
    let file = folder.join("dovecot.conf");
    std::fs::write(&file, config).expect("the folder is ours");
    let mut command = Command::new("dovecot");
    Part::start("dovecot", command.arg("-F").arg("-c").arg(file), folder)
}

fn postfix(folder: &Path, ports: &Ports) -> Part {
    let d = folder.display();
    let main = format!(
        "compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{DOMAIN}
mydestination =
mynetworks =
alias_maps =
message_size_limit = {MAIL_MAX}
mailbox_size_limit = 0
virtual_mailbox_domains = {DOMAIN}
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {d}/cert.pem
smtpd_tls_key_file = {d}/key.pem
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ refused@{DOMAIN} = 550 No such user }} {{ later@{DOMAIN} = 450 Come back later }} }}, reject_unauth_pipelining
smtpd_sender_restrictions = permit_sasl_authenticated, reject
maillog_file = {d}/pf.log
maillog_file_prefixes = {d}
",
        lmtp = ports.lmtp,
    );
    let mut master = String::new();
    let _ = write!(
        master,
        "127.0.0.1:{} inet n - n - - smtpd\n127.0.0.1:{} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n{MASTER}",
        ports.smtp, ports.smtps
    );
    let config = folder.join("pc");
    std::fs::write(config.join("main.cf"), main).expect("the folder is ours");
    std::fs::write(config.join("master.cf"), master).expect("the folder is ours");
    // Makes the queue's folders.
    run(Command::new("postfix").arg("-c").arg(&config).arg("check"));
    // Not `postfix start`: that leaves a daemon behind. `-d` stays in our group.
    let mut command = Command::new("/usr/lib/postfix/sbin/master");
    Part::start("postfix", command.arg("-c").arg(config).arg("-d"), folder)
}

/// Whether a server greets in the way that it should.
fn greets(port: u16, greeting: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let timeout = stream.set_read_timeout(Some(Duration::from_secs(5)));
    timeout.is_ok() && reply(&mut stream).starts_with(greeting)
}

/// What a server says until the end of a last line.
fn reply(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).unwrap_or_default();
        said.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&said).into_owned();
        let last = text.lines().last().unwrap_or_default();
        let whole = text.ends_with('\n') && last.as_bytes().get(3) != Some(&b'-');
        if n == 0 || whole {
            return text;
        }
    }
}

/// Runs a program to its end.
fn run(command: &mut Command) {
    let output = command.output().expect("the program is installed");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// All that a part said: its output and the logs of both.
fn said(part: &Part, folder: &Path) -> String {
    let mut said = part.said();
    for name in ["dovecot.log", "pf.log"] {
        let log = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let _ = writeln!(said, "{name}:\n{log}");
    }
    said
}
