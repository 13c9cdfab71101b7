//! The daemon as a service manager sees it: the real binary, real models, a state folder of its own.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::models;

/// Longest that a daemon may take to be ready: a debug build on a busy machine.
const START: Duration = Duration::from_secs(120);

/// The box that took the sample farm in, once a test program; the others get a copy of its library.
static FARM: LazyLock<Mutex<TestBox>> = LazyLock::new(|| {
    let farm = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/farm/documents");
    let this = TestBox::new("");
    let ingested = this.command(&["ingest", &farm.display().to_string()]);
    assert!(ingested.status.success(), "{}", said(&ingested));
    Mutex::new(this)
});

/// A box: its state, its configuration, and the daemon while it runs.
pub struct TestBox {
    folder: tempfile::TempDir,
    notices: Receiver<String>,
    child: Option<Child>,
}

impl TestBox {
    /// A box with models and an empty library; `config` is added to its configuration file.
    pub fn new(config: &str) -> Self {
        TestBox::named("b1", config)
    }

    /// As [`TestBox::new`], where there is more than one.
    pub fn named(name: &str, config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let state = folder.path().join("state");
        lay_out(&models::folder(), &state);
        let text = format!(
            "[box]\nname = {name:?}\nplace = {{ country = \"US\", region = \"Iowa\" }}\n\
             [paths]\nstate = \"state\"\nrun = \"run\"\n{config}\n"
        );
        std::fs::write(folder.path().join("almanac.toml"), text).expect("writable");
        let notices = hear(&folder.path().join("notify"));
        TestBox {
            folder,
            notices,
            child: None,
        }
    }

    /// As [`TestBox::new`], with the sample farm in its library and the broker at `port`.
    pub fn with_farm(port: u16, config: &str) -> Self {
        let this = TestBox::new(&format!(
            "[mqtt]\nhost = \"127.0.0.1\"\nport = {port}\nkeep_alive_s = 5\n{config}"
        ));
        let farm = FARM.lock().unwrap_or_else(PoisonError::into_inner);
        copy(
            &farm.state().join("editions"),
            &this.state().join("editions"),
        );
        drop(farm);
        this
    }

    /// The folder that holds state, run folder and configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Runs `almanac` with the box's configuration to its end.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.command_with("almanac.toml", arguments)
    }

    /// As [`TestBox::command`], with another configuration file of the box's folder.
    pub fn command_with(&self, config: &str, arguments: &[&str]) -> Output {
        let mut command = self.almanac(config);
        command.args(arguments).output().expect("almanac runs")
    }

    /// `almanac` with the box's configuration, to be started and killed.
    pub fn command_to_start(&self, arguments: &[&str]) -> Command {
        let mut command = self.almanac("almanac.toml");
        command.args(arguments);
        command
    }

    /// As [`TestBox::command`]; its JSON lines, where it succeeds.
    pub fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let output = self.command(&[&["--json"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let parse = |line: &str| serde_json::from_str(line).expect("a JSON line");
        text.lines().map(parse).collect()
    }

    /// Starts the daemon; returns at once.
    pub fn start(&mut self) {
        // What a daemon before this one said is of no interest.
        self.notices.try_iter().for_each(drop);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("writable");
        let mut command = self.almanac("almanac.toml");
        command
            .arg("serve")
            .env("NOTIFY_SOCKET", self.folder.path().join("notify"))
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(command.spawn().expect("almanac runs"));
    }

    /// Starts the daemon; returns when it told systemd that it is ready.
    pub fn start_ready(&mut self) {
        self.start();
        self.is_told("READY=1");
    }

    /// Waits until the daemon told systemd `line`.
    pub fn is_told(&mut self, line: &str) {
        let end = Instant::now() + START;
        while Instant::now() < end {
            if let Ok(told) = self.notices.recv_timeout(Duration::from_millis(200))
                && told.lines().any(|told| told == line)
            {
                return;
            }
            if let Some(ended) = self.child.as_mut().and_then(|child| child.try_wait().ok()?) {
                panic!(
                    "the daemon ended with {ended} before {line}:\n{}",
                    self.log()
                );
            }
        }
        panic!(
            "the daemon did not say {line} in {START:?}:\n{}",
            self.log()
        );
    }

    /// Ends the daemon as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killable");
            child.wait().expect("an end");
        }
    }

    /// Ends the daemon as systemd would; how it ended, and how long that took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let mut child = self.child.take().expect("a running daemon");
        let began = Instant::now();
        let pid = i32::try_from(child.id()).expect("a process id");
        // SAFETY: a plain system call on the process that this test started and has not yet waited for.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let status = child.wait().expect("an end");
        (status, began.elapsed())
    }

    /// Waits for the daemon to end by itself.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running daemon");
        child.wait().expect("an end")
    }

    /// Memory of the daemon that belongs to it alone, MiB: mapped weights are not counted.
    pub fn private_mib(&self) -> u64 {
        let pid = self.child.as_ref().expect("a running daemon").id();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("readable");
        let line = status.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.expect("a figure in kB") / 1024
    }

    /// The daemon's process, while it runs.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running daemon").id()
    }

    /// Everything that the daemon logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(self.log_path()) {
            file.read_to_string(&mut text).expect("UTF-8");
        }
        text
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn almanac(&self, config: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_almanac"));
        command
            .arg("--config")
            .arg(self.folder.path().join(config))
            .env_remove("NOTIFY_SOCKET")
            .env_remove("ALMANAC_STATE")
            .env_remove("ALMANAC_CONFIG")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for TestBox {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}

/// Reads, as systemd does, everything that comes to the notify socket: a daemon waits for room there.
fn hear(path: &Path) -> Receiver<String> {
    let socket = UnixDatagram::bind(path).expect("a socket");
    let (told, notices) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if told.send(text).is_err() {
                return;
            }
        }
    });
    notices
}

/// What a command printed, for a failing test.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// A state folder that shares the runtime and the models of the tests and nothing else.
/// Copies the folder `from` with all below it over `to`.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true => copy(&path, &copied),
            false => drop(std::fs::copy(&path, &copied).expect("writable")),
        }
    }
}

fn lay_out(models: &Path, state: &Path) {
    let edition = state.join("editions/0");
    std::fs::create_dir_all(&edition).expect("writable");
    for shared in ["runtime", "models"] {
        std::os::unix::fs::symlink(models.join(shared), state.join(shared)).expect("linkable");
    }
    let manifest = models.join("editions/0/edition.toml");
    assert!(
        manifest.is_file(),
        "{} is missing: run `make test-models` once (or `make test`)",
        manifest.display()
    );
    let text = std::fs::read_to_string(manifest).expect("readable");
    std::fs::write(edition.join("edition.toml"), text).expect("writable");
    std::os::unix::fs::symlink("editions/0", state.join("current")).expect("linkable");
}
