//! What whole-process tests share: a real broker, and clients of both protocol versions.

#![allow(dead_code)] // Every test program uses a part of it.

pub mod client;
pub mod daemon;
pub mod models;
pub mod operator;
pub mod pushing;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A Mosquitto of its own on a free loopback port, with persistence on; killed when dropped.
pub struct Broker {
    folder: tempfile::TempDir,
    port: u16,
    extra: String,
    child: Option<Child>,
}

impl Broker {
    /// Starts a broker; returns when it listens.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`Broker::start`], with further lines for its configuration.
    pub fn start_with(extra: &str) -> Self {
        for _ in 0..10 {
            let mut broker = Broker {
                folder: tempfile::tempdir().expect("a temporary folder"),
                port: free_port(),
                extra: extra.to_owned(),
                child: None,
            };
            // Another program may have taken the port meanwhile.
            if broker.launch() {
                return broker;
            }
        }
        panic!("mosquitto does not start on any of ten free ports; run `mosquitto -v` to see why");
    }

    /// The port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends the broker as a service manager would: it saves its sessions.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = i32::try_from(child.id()).expect("a process id");
            // SAFETY: a plain system call on the process that this test started and has not yet waited for.
            unsafe { libc::kill(pid, libc::SIGTERM) };
            child.wait().expect("an end");
        }
    }

    /// Starts a stopped broker again, on the same port with the same sessions.
    pub fn start_again(&mut self) {
        assert!(
            self.launch(),
            "mosquitto does not start again on port {}",
            self.port
        );
    }

    /// Ends the broker and starts it again.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    fn launch(&mut self) -> bool {
        let folder = self.folder.path();
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nuser root\npersistence true\n\
             persistence_location {}/\nlog_dest stderr\nlog_type error\nlog_type information\n\
             {}\n",
            self.port,
            folder.display(),
            self.extra
        );
        std::fs::write(&config, text).expect("a writable folder");
        let mut child = Command::new(mosquitto())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto runs");
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let mut line = String::new();
        while log.read_line(&mut line).expect("a readable log") > 0 {
            if line.contains(" running") {
                // It would block on a full pipe.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                self.child = Some(child);
                return true;
            }
            line.clear();
        }
        child.wait().expect("an end");
        false
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn mosquitto() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Debian puts it where only root looks.
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|folder| folder.join("mosquitto"))
        .find(|program| program.is_file())
        .expect("this test needs a real broker: apt-get install mosquitto")
}

/// The folder `name` of the real data beside the project; says so where it is absent, and the test is skipped.
pub fn data(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data")
        .join(name);
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}
