//! A flush that fails under the real process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gearmesh_testkit::Process;
use gearmesh_tests::program;

use crate::client::Client;
use crate::start;

/// Lets every flush fail while a file of the given name is there.
const FAILING_FLUSH: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int flush(long call, int fd) {
    const char *flag = getenv("DISK_TEST_FAILS");
    if (flag && access(flag, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return syscall(call, fd);
}

int fsync(int fd) { return flush(SYS_fsync, fd); }
int fdatasync(int fd) { return flush(SYS_fdatasync, fd); }
"#;

/// Builds a library that goes before the system's own.
fn preload(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("flush.c"), folder.join("flush.so"));
    std::fs::write(&source, FAILING_FLUSH).expect("the folder is ours");
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output();
    let output = output.unwrap_or_else(|e| panic!("this test needs a C compiler, `cc`: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    library
}

#[tokio::test]
async fn failed_flush_ends_the_process_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (library, flag) = (preload(folder.path()), folder.path().join("flag"));
    let environment = [
        ("LD_PRELOAD", library.to_str().expect("a plain path")),
        ("DISK_TEST_FAILS", flag.to_str().expect("a plain path")),
    ];
    let endpoint = folder.path().join(".gearmesh/endpoint");
    let arguments = ["dev", "--port", "0"];
    let program = program("gearmesh");
    let process =
        Process::start_in(&program, &arguments, &environment, folder.path(), &endpoint).await;
    let client = Client::new(&process);
    for n in 0..3 {
        assert_eq!(client.put(n).await.0, 200);
    }
    std::fs::write(&flag, "").expect("the folder is ours");
    let (status, body) = client.put(3).await;
    assert_eq!(status, 503, "{body}");
    assert!(body.to_string().contains("STORE_FAILED"), "{body}");
    let gone = async {
        while client.http.get(&client.url).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), gone).await;
    ended.expect("it ends by itself");
    // It is gone, so this asks nobody to end and answers how it did.
    assert_eq!(process.terminate().code(), Some(1));

    std::fs::remove_file(&flag).expect("it is there");
    let again = start(folder.path(), true).await;
    let client = Client::new(&again);
    for n in 0..3 {
        client.assert_there(n).await;
    }
    assert_eq!(client.put(4).await.0, 200);
}
