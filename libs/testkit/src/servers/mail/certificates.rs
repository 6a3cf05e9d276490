//! Certificates of the mail server, by openssl.

use std::path::Path;
use std::process::Command;

use super::run;

/// Makes two authorities and a certificate of the first; gives those of the authorities.
pub(super) fn certificates(folder: &Path) -> [String; 2] {
    let openssl = |args: &str| {
        let mut command = Command::new("openssl");
        run(command.args(args.split(' ')).current_dir(folder));
    };
    std::fs::write(
        folder.join("names"),
        "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n",
    )
    .expect("the folder is ours");
    let ec = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for name in ["ca", "other"] {
        let out = format!("-keyout {name}.key -out {name}.pem -days 2 -subj /CN=test-ca");
        openssl(&format!("req -x509 {ec} {out}"));
    }
    openssl(&format!(
        "req {ec} -keyout key.pem -out csr.pem -subj /CN=mx.test"
    ));
    openssl(
        "x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile names",
    );
    ["ca.pem", "other.pem"]
        .map(|name| std::fs::read_to_string(folder.join(name)).expect("openssl wrote it"))
}
