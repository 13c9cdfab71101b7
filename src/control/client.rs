//! The command line's side: blocking, one request at a time.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{ControlError, Fault, MAX_LINE_BYTES, Progress, Reply, Request, socket_path};

/// A connection to a running daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the daemon of the run folder; `None` when nobody listens there. Blocking.
    ///
    /// # Errors
    /// The socket is there but may not be used.
    pub fn connect(run: &Path) -> Result<Option<Client>, ControlError> {
        let path = socket_path(run);
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Some(Client {
                path,
                stream: BufReader::new(stream),
            })),
            Err(error) if is_nobody(&error) => Ok(None),
            Err(error) => Err(ControlError::at("connect to", &path)(error)),
        }
    }

    /// Sends `request` and waits for its last line; `on_progress` sees the lines before it. Blocking,
    /// as long as the daemon works on it.
    ///
    /// # Errors
    /// Outer: the daemon cannot be reached or understood. Inner: it refused or failed.
    pub fn call(
        &mut self,
        request: &Request,
        on_progress: &mut dyn FnMut(&Progress),
    ) -> Result<Result<serde_json::Value, Fault>, ControlError> {
        let mut line = serde_json::to_vec(request)
            .map_err(|error| self.protocol(format!("the request cannot be written: {error}")))?;
        line.push(b'\n');
        self.stream
            .get_mut()
            .write_all(&line)
            .map_err(ControlError::at("write to", &self.path))?;
        loop {
            match self.reply()? {
                Reply::Progress(progress) => on_progress(&progress),
                Reply::Result(value) => return Ok(Ok(value)),
                Reply::Error(fault) => return Ok(Err(fault)),
            }
        }
    }

    fn reply(&mut self) -> Result<Reply, ControlError> {
        let mut line = Vec::new();
        let read = (&mut self.stream)
            .take(MAX_LINE_BYTES as u64)
            .read_until(b'\n', &mut line)
            .map_err(ControlError::at("read from", &self.path))?;
        if read == 0 {
            return Err(self.protocol("the daemon ended before it replied; see its log".into()));
        }
        serde_json::from_slice(&line)
            .map_err(|error| self.protocol(format!("a reply cannot be read: {error}")))
    }

    fn protocol(&self, reason: String) -> ControlError {
        ControlError::Protocol {
            path: self.path.clone(),
            reason,
        }
    }
}

/// Whether a failed connect means that no daemon runs.
pub(super) fn is_nobody(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::ConnectionRefused
    )
}
