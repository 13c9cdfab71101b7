//! The daemon's side: a listener that hands each request on over a bounded channel.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};

use super::client::is_nobody;
use super::{ControlError, Fault, FaultCode, MAX_LINE_BYTES, Reply, Request, socket_path};

/// Connections served at a time; more wait in the kernel's own, bounded, backlog.
const MAX_CONNECTIONS: usize = 16;
/// Longest request line: an ask with its readings, or a list of paths.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;
/// A connection that asks nothing for so long is closed, so that idle ones cannot use up the places.
const IDLE: Duration = Duration::from_secs(60);
/// A client that does not read for so long is given up.
const STALLED: Duration = Duration::from_secs(30);
/// Replies of one request that may wait for the client to read them.
const REPLIES: usize = 64;

/// One request, and where its replies go. Dropping `replies` without a last line is told as an error.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Takes `progress` lines, then one `result` or `error`; closed when the asker is gone.
    pub replies: mpsc::Sender<Reply>,
}

/// A bound control socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: UnixListener,
}

impl Server {
    /// Binds `<run>/control.sock`, mode 0660; a socket that nobody listens on is replaced. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// Another daemon listens there, the path is too long, or the system refuses.
    pub fn bind(run: &Path) -> Result<Server, ControlError> {
        let path = socket_path(run);
        let length = path.as_os_str().len();
        // The temporary name beside it is 4 bytes longer.
        if length > 103 {
            return Err(ControlError::PathTooLong { path, length });
        }
        match StdStream::connect(&path) {
            Ok(_) => return Err(ControlError::Running { path }),
            Err(error) if is_nobody(&error) => {}
            Err(error) => return Err(ControlError::at("probe", &path)(error)),
        }
        // Bound under another name until its mode is right: nobody can connect in between.
        let hidden = path.with_extension("sock.new");
        let _ = std::fs::remove_file(&hidden);
        let listener = UnixListener::bind(&hidden).map_err(ControlError::at("bind", &hidden))?;
        std::fs::set_permissions(&hidden, std::fs::Permissions::from_mode(0o660))
            .map_err(ControlError::at("set the mode of", &hidden))?;
        std::fs::rename(&hidden, &path).map_err(ControlError::at("rename", &hidden))?;
        Ok(Server { path, listener })
    }

    /// Serves connections until dropped; every request goes to `calls`, in the order of its connection.
    pub async fn serve(self, calls: mpsc::Sender<Call>) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return; // The semaphore is never closed.
            };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let calls = calls.clone();
                    tokio::spawn(async move {
                        converse(stream, calls).await;
                        drop(place);
                    });
                }
                // Out of descriptors: the connections that are open will end.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, calls: mpsc::Sender<Call>) {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(line) = request_line(&mut reader).await {
        let goes_on = match parse(&line) {
            Ok(request) => answer(request, &calls, &mut writer).await,
            Err(fault) => {
                // The rest of an overlong line would be read as requests.
                write(&mut writer, &Reply::Error(fault)).await && line.ends_with(b"\n")
            }
        };
        if !goes_on {
            return;
        }
    }
}

async fn request_line(reader: &mut BufReader<OwnedReadHalf>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut limited = reader.take(MAX_REQUEST_BYTES as u64 + 1);
    match tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)).await {
        Ok(Ok(read)) if read > 0 => Some(line),
        _ => None,
    }
}

fn parse(line: &[u8]) -> Result<Request, Fault> {
    if line.len() > MAX_REQUEST_BYTES {
        return Err(Fault::new(
            FaultCode::Invalid,
            format!("a request line has at most {MAX_REQUEST_BYTES} bytes"),
        ));
    }
    serde_json::from_slice(line).map_err(|error| {
        Fault::new(
            FaultCode::Invalid,
            format!("the request cannot be read: {error}"),
        )
        .hint("the operations are ask, search, ingest, library, status, edition")
    })
}

/// Passes the request on and its replies back; false when the connection is of no more use.
async fn answer(request: Request, calls: &mpsc::Sender<Call>, writer: &mut OwnedWriteHalf) -> bool {
    let (replies, mut incoming) = mpsc::channel(REPLIES);
    let stopping = Reply::Error(Fault::new(FaultCode::Busy, "the daemon is stopping"));
    if calls.send(Call { request, replies }).await.is_err() {
        write(writer, &stopping).await;
        return false;
    }
    while let Some(reply) = incoming.recv().await {
        let is_last = !matches!(reply, Reply::Progress(_));
        if !write(writer, &reply).await {
            return false;
        }
        if is_last {
            return true;
        }
    }
    write(writer, &stopping).await;
    false
}

async fn write(writer: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let mut line = serde_json::to_vec(reply).unwrap_or_default();
    if line.len() >= MAX_LINE_BYTES {
        let fault = Fault::new(FaultCode::Failed, "the reply is too long for the socket")
            .hint("ask for less at a time");
        line = serde_json::to_vec(&Reply::Error(fault)).unwrap_or_default();
    }
    line.push(b'\n');
    let written = tokio::time::timeout(STALLED, writer.write_all(&line)).await;
    matches!(written, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::super::{Client, Progress};
    use super::*;
    use std::io::{Read, Write};

    fn echo(run: &Path) -> tokio::task::JoinHandle<()> {
        let server = Server::bind(run).expect("a free socket");
        let (calls, mut incoming) = mpsc::channel::<Call>(4);
        tokio::spawn(async move {
            while let Some(call) = incoming.recv().await {
                let progress = Reply::Progress(Progress::default());
                let result = Reply::Result(serde_json::to_value(&call.request).expect("plain"));
                if call.replies.send(progress).await.is_ok() {
                    let _ = call.replies.send(result).await;
                }
            }
        });
        tokio::spawn(server.serve(calls))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_connection_carries_several_requests_each_with_progress_and_one_result() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let serving = echo(folder.path());
        let mut client = Client::connect(folder.path())
            .expect("usable")
            .expect("somebody listens");
        for _ in 0..3 {
            let mut seen = 0;
            let result = client
                .call(&Request::Status, &mut |_| seen += 1)
                .expect("reachable")
                .expect("a result");
            assert_eq!((seen, result["op"].as_str()), (1, Some("status")));
        }
        serving.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_line_that_is_no_request_gets_an_error_and_an_overlong_one_ends_the_connection() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let serving = echo(folder.path());
        let mut stream = StdStream::connect(socket_path(folder.path())).expect("listening");
        stream.write_all(b"{\"op\":\"fly\"}\n").expect("writable");
        let mut buffer = [0; 512];
        let read = stream.read(&mut buffer).expect("readable");
        assert!(
            String::from_utf8_lossy(&buffer[..read])
                .starts_with("{\"error\":{\"code\":\"invalid\"")
        );
        let long = vec![b'x'; MAX_REQUEST_BYTES + 2];
        let _ = stream.write_all(&long);
        let mut rest = String::new();
        let _ = stream.read_to_string(&mut rest);
        serving.abort();
        assert!(rest.is_empty() || rest.contains("at most"), "{rest}");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = socket_path(folder.path());
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bindable"));
        let server = Server::bind(folder.path()).expect("the stale socket is replaced");
        let mode = std::fs::metadata(&path)
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o660);
        assert!(matches!(
            Server::bind(folder.path()),
            Err(ControlError::Running { .. })
        ));
        drop(server);
        assert!(!path.exists());
        assert!(Client::connect(folder.path()).expect("no error").is_none());
    }
}
