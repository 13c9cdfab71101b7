//! Where results go.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// Standard output, for people or as JSON lines.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// For people, or (`json`) one JSON object a line.
    pub fn new(json: bool) -> Self {
        Output { json }
    }

    /// Whether programs read this.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches.
    pub fn is_terminal(self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Prints one line.
    ///
    /// # Errors
    /// The reader closed the pipe, or the disk is full.
    pub fn line(self, text: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Prints without a line break, at once: the next words of an answer.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn words(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints one JSON object on its line.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn json(self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value).map_err(io::Error::other)?;
        line.push(b'\n');
        io::stdout().lock().write_all(&line)
    }
}
