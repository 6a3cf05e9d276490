//! The Chromium process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gearmesh_runtime::{CancellationToken, Context};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::cdp::{Cdp, Event};
use crate::config::{Config, Sandbox};
use crate::error::Error;
use crate::profile::Profile;

/// Where distributions put it.
const PLACES: &[&str] = &[
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome-stable",
    "/usr/bin/google-chrome",
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
    "/headless-shell/headless-shell",
    "/snap/bin/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Gives the pipe to file descriptors 3 and 4, where Chromium looks for it; a
/// child of ours has it at 0 and 1.
const PIPE: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null";

/// A browser starts within a second; a cold disk takes longer, a hang is none.
const LAUNCH_MAX: Duration = Duration::from_secs(30);

/// Time to end by itself, before it is killed.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Time for a command of the browser itself: it loads nothing, and takes milliseconds.
const COMMAND_MAX: Duration = Duration::from_secs(15);

/// How long calls under way may go on when the process drains.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// What is kept of the browser's complaints.
const COMPLAINTS_MAX: usize = 16 * 1024;

/// Not over UDP, which no proxy sees.
const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-startup-window",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-client-side-phishing-detection",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-hang-monitor",
    "--disable-features=Translate,OptimizationHints,MediaRouter,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
    "--dns-prefetch-disable",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
    "--metrics-recording-only",
    "--password-store=basic",
    "--use-mock-keychain",
    // What belongs to no session reaches nothing; each session has its own proxy.
    "--proxy-server=http://127.0.0.1:1",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/// A running browser. It ends with [`Chrome::stop`], with the process, or by itself.
#[derive(Debug)]
pub(crate) struct Chrome {
    pub(crate) cdp: Cdp,
    stop: CancellationToken,
    /// Set when the process has ended and its folder is removed.
    ended: CancellationToken,
    /// By target: cancelled when the page is gone.
    pages: Mutex<HashMap<String, CancellationToken>>,
    /// Calls that use a page now.
    pub(crate) busy: AtomicUsize,
}

impl Chrome {
    /// Starts a browser.
    pub(crate) async fn launch(cx: &Context, config: &Config) -> Result<Arc<Self>, Error> {
        let executable = executable(config)?;
        let root = rustix::process::geteuid().is_root();
        let sandboxed = sandboxed(config.sandbox, root)?;
        let (state, number) = (cx.folder().to_owned(), cx.rng().number());
        let made = tokio::task::spawn_blocking(move || Profile::make(&state, number)).await;
        let profile = made
            .map_err(std::io::Error::other)
            .and_then(|made| made)
            .map_err(|e| Error::Unavailable(format!("no folder for the browser: {e}")))?;
        let mut child = command(&executable, &profile, sandboxed)
            .spawn()
            .map_err(|e| {
                Error::Unavailable(format!("{} cannot be started: {e}", executable.display()))
            })?;
        let (Some(input), Some(output), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Error::Unavailable("the browser has no pipes".to_owned()));
        };
        let (cdp, work) = Cdp::new(output, input, CancellationToken::new());
        cx.serve(work);
        let complaints = Arc::new(Mutex::new(Vec::new()));
        cx.serve(listen(errors, complaints.clone()));
        let chrome = Arc::new(Self {
            cdp,
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            pages: Mutex::default(),
            busy: AtomicUsize::new(0),
        });
        cx.spawn(chrome.clone().watch(cx.clone(), child, profile));
        let events = chrome.cdp.listen("");
        cx.serve(chrome.clone().follow(events));
        let ready = async {
            chrome.cdp.call("", "Browser.getVersion", json!({})).await?;
            let discover = json!({"discover": true});
            chrome
                .cdp
                .call("", "Target.setDiscoverTargets", discover)
                .await
        };
        let ready = tokio::select! {
            ready = ready => ready.map_err(|e| e.to_string()),
            () = cx.clock().sleep(LAUNCH_MAX) => Err("it did not answer".to_owned()),
        };
        match ready {
            Ok(_) => Ok(chrome),
            Err(reason) => {
                chrome.stop().await;
                let said = complaints.lock().unwrap_or_else(PoisonError::into_inner);
                Err(Error::Unavailable(explain(&executable, &reason, &said)))
            }
        }
    }

    /// Cancelled when the browser cannot be used any more.
    pub(crate) fn gone(&self) -> &CancellationToken {
        self.cdp.gone()
    }

    /// Ends the browser and waits until nothing is left of it.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    /// A command of the browser itself. One that does not answer hangs as a whole: it
    /// is ended, so that nobody waits for it any more.
    pub(crate) async fn call(&self, method: &str, params: Value) -> Result<Value, Error> {
        let answer = self.cdp.call("", method, params);
        match tokio::time::timeout(COMMAND_MAX, answer).await {
            Ok(answer) => answer.map_err(|e| Error::Protocol(format!("{method}: {e}"))),
            Err(_) => {
                self.gone().cancel();
                let within = COMMAND_MAX.as_secs();
                let text = format!("the browser did not answer {method} within {within} s");
                Err(Error::Unavailable(text))
            }
        }
    }

    /// Watches a page: the token is cancelled when it is gone.
    pub(crate) fn watch_page(&self, target: &str) -> CancellationToken {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.entry(target.to_owned()).or_default().clone()
    }

    /// Ends with the browser, or ends it.
    async fn watch(self: Arc<Self>, cx: Context, mut child: Child, profile: Profile) {
        let group = child
            .id()
            .and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
        let politely = tokio::select! {
            _ = child.wait() => false,
            () = self.gone().cancelled() => false,
            () = self.stop.cancelled() => true,
            () = self.drained(&cx) => true,
        };
        if politely {
            self.cdp.post("", "Browser.close", json!({}));
            tokio::select! {
                // The process is waited for below.
                _ = child.wait() => {}
                () = cx.clock().sleep(CLOSE_MAX) => {}
            }
        }
        self.gone().cancel();
        if let Some(group) = group {
            // Its helpers are in its group; none may be left by now.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait().await;
        let removed = tokio::task::spawn_blocking(move || profile.remove()).await;
        if removed.is_err() {
            tracing::warn!("profile of the browser not removed");
        }
        self.ended.cancel();
    }

    /// Ends when the process drains and no call uses a page any more.
    async fn drained(&self, cx: &Context) {
        const LOOK: Duration = Duration::from_millis(20);
        cx.shutdown().cancelled().await;
        let mut waited = Duration::ZERO;
        while self.busy.load(Ordering::SeqCst) > 0 && waited < DRAIN_MAX {
            cx.clock().sleep(LOOK).await;
            waited += LOOK;
        }
    }

    /// Follows what happens to pages.
    async fn follow(self: Arc<Self>, mut events: tokio::sync::broadcast::Receiver<Event>) {
        use tokio::sync::broadcast::error::RecvError;
        loop {
            match events.recv().await {
                Ok(event) => self.on_event(&event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    fn on_event(&self, event: &Event) {
        let target = |value: &Value| value["targetId"].as_str().unwrap_or_default().to_owned();
        match event.method.as_str() {
            // A window that a page opened: nobody asked for it, and nobody would close it.
            "Target.targetCreated" => {
                let info = &event.params["targetInfo"];
                if info["type"] == "page" && info["openerId"].is_string() {
                    let close = json!({"targetId": target(info)});
                    self.cdp.post("", "Target.closeTarget", close);
                }
            }
            "Target.targetDestroyed" | "Target.targetCrashed" => {
                let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(gone) = pages.remove(&target(&event.params)) {
                    gone.cancel();
                }
            }
            _ => {}
        }
    }
}

fn executable(config: &Config) -> Result<PathBuf, Error> {
    match &config.executable {
        Some(path) if path.is_file() => Ok(path.clone()),
        Some(path) => Err(Error::Unavailable(format!(
            "`[browser] executable` names {}, where no file is; give the path of Chromium",
            path.display()
        ))),
        None => {
            let found = PLACES.iter().map(Path::new).find(|p| p.is_file());
            found.map(Path::to_owned).ok_or_else(|| {
                Error::Unavailable(
                    "no Chromium is installed; install it (Debian: `apt install chromium`), or set `[browser] executable` to its path".to_owned(),
                )
            })
        }
    }
}

/// Whether the browser gets its sandbox.
fn sandboxed(wanted: Sandbox, root: bool) -> Result<bool, Error> {
    match (wanted, root) {
        (Sandbox::On, false) => Ok(true),
        (Sandbox::Off, true) => Ok(false),
        (Sandbox::On, true) => Err(Error::Unavailable(
            "Chromium has no sandbox as root; run the engine as another user, or accept pages without a sandbox by `sandbox = \"off\"` under `[browser]` in gearmesh.toml (or GEARMESH_BROWSER__SANDBOX=off)".to_owned(),
        )),
        (Sandbox::Off, false) => Err(Error::Unavailable(
            "`[browser] sandbox = \"off\"` is for root alone; remove it, the sandbox works for this user".to_owned(),
        )),
    }
}

fn command(executable: &Path, profile: &Profile, sandboxed: bool) -> Command {
    let (profile, short) = (profile.path(), profile.short());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", PIPE, "sh"]).arg(executable);
    command.args(ARGUMENTS);
    command.arg(format!("--user-data-dir={}", profile.display()));
    if !sandboxed {
        command.arg("--no-sandbox");
    }
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("HOME", profile)
        .env("TMPDIR", short)
        .current_dir(profile)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Keeps the beginning of what the browser complains of, and reads the rest so
/// that it never waits for us.
async fn listen(mut errors: tokio::process::ChildStderr, complaints: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 4096];
    while let Ok(read) = errors.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        let mut kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let room = COMPLAINTS_MAX.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
}

/// Why it did not start, with the remedy when it is a known one.
fn explain(executable: &Path, reason: &str, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let executable = executable.display();
    if said.contains("No usable sandbox") {
        return format!(
            "{executable} finds no sandbox: this machine or container forbids user namespaces; allow them (sysctl kernel.unprivileged_userns_clone=1, or a seccomp profile that permits clone), or install chromium-sandbox"
        );
    }
    let last = said.lines().rfind(|l| !l.trim().is_empty());
    format!(
        "{executable} did not start: {reason}; it said: {}",
        last.unwrap_or("nothing")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sandbox_is_given_up_by_root_alone_and_only_when_told() {
        assert!(sandboxed(Sandbox::On, false).unwrap());
        assert!(!sandboxed(Sandbox::Off, true).unwrap());
        let text = sandboxed(Sandbox::On, true).unwrap_err().to_string();
        assert!(text.contains("sandbox = \"off\""), "{text}");
        assert!(sandboxed(Sandbox::Off, false).is_err());
    }

    #[test]
    fn complaint_of_the_browser_is_explained() {
        let text = explain(Path::new("/c"), "it has ended", b"[1] No usable sandbox!\n");
        assert!(text.contains("user namespaces"), "{text}");
        let text = explain(Path::new("/c"), "it has ended", b"first\nlast\n\n");
        assert!(text.ends_with("it said: last"), "{text}");
    }
}
