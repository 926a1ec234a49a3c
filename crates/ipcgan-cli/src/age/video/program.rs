//! Runs `ffmpeg` and `ffprobe`: without a shell, with paths that cannot be taken for options, and with their messages
//! in our errors.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};

/// Formats that are read. A playlist would make ffmpeg open other files.
const FORMATS: &str = "mov,matroska,webm,avi,flv,live_flv,asf,mpegts,mpeg,mpegvideo,mxf,ogg";
/// Number of the newest messages that an error quotes.
const MAX_MESSAGES: usize = 3;
/// Maximum length of a message, in bytes.
const MAX_MESSAGE: u64 = 2000;

/// A program of the FFmpeg project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Ffmpeg,
    Ffprobe,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Ffmpeg => "ffmpeg",
            Self::Ffprobe => "ffprobe",
        }
    }

    /// The program with arguments that silence everything except errors.
    pub(super) fn command(self) -> Command {
        let mut command = Command::new(self.name());
        command.args(["-hide_banner", "-loglevel", "error"]);
        if self == Self::Ffmpeg {
            // It would take keys from the terminal.
            command.arg("-nostdin");
        }
        command.env("AV_LOG_FORCE_NOCOLOR", "1").stdin(Stdio::null()).stdout(Stdio::null());
        separate(&mut command);
        command
    }

    /// Starts `command`, which is one of this program.
    ///
    /// # Errors
    /// It is not installed, or cannot be started.
    pub(super) fn start(self, command: &mut Command) -> Result<Running> {
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(|error| self.start_error(error))?;
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let messages = std::thread::spawn(move || newest_messages(stderr));
        Ok(Running { program: self, child, messages: Some(messages) })
    }

    /// Standard output of `command`, which is one of this program, and its messages.
    ///
    /// # Errors
    /// As [`Program::start`]; or it fails.
    pub(super) fn output(self, command: &mut Command) -> Result<(Vec<u8>, String)> {
        let mut running = self.start(command.stdout(Stdio::piped()))?;
        let mut output = Vec::new();
        let stdout = running.child.stdout.take();
        stdout.expect("standard output is a pipe").read_to_end(&mut output).context("cannot read its output")?;
        Ok((output, running.finish()?))
    }

    fn start_error(self, error: io::Error) -> anyhow::Error {
        match error.kind() {
            io::ErrorKind::NotFound => MissingProgram(self.name()).into(),
            _ => anyhow::Error::new(error).context(format!("cannot start {}", self.name())),
        }
    }
}

/// A program that is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MissingProgram(pub(super) &'static str);

impl fmt::Display for MissingProgram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0;
        write!(
            formatter,
            "videos need the program {name}, which was not found: install FFmpeg (Debian, Ubuntu: apt install ffmpeg; \
             macOS: brew install ffmpeg; Windows: winget install ffmpeg) and check that {name} is on the PATH"
        )
    }
}

impl std::error::Error for MissingProgram {}

/// Keeps Ctrl-C away from the program, which would end before its input does.
fn separate(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    {
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x200;
        std::os::windows::process::CommandExt::creation_flags(command, CREATE_NEW_PROCESS_GROUP);
    }
    #[cfg(not(any(unix, windows)))]
    let _ = command;
}

/// A program that runs; it is killed if it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    program: Program,
    pub(super) child: Child,
    messages: Option<JoinHandle<String>>,
}

impl Running {
    /// Waits for the end; returns its messages.
    ///
    /// # Errors
    /// It fails; the error quotes its messages.
    pub(super) fn finish(mut self) -> Result<String> {
        let status = self.child.wait().with_context(|| format!("cannot wait for {}", self.program.name()))?;
        let messages = self.messages.take().map(JoinHandle::join);
        let messages = messages.and_then(Result::ok).unwrap_or_default();
        check(self.program, status, &messages)?;
        Ok(messages)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check(program: Program, status: ExitStatus, messages: &str) -> Result<()> {
    match (status.success(), messages) {
        (true, _) => Ok(()),
        (_, "") => bail!("{} failed ({status})", program.name()),
        _ => bail!("{}: {messages}", program.name()),
    }
}

/// The newest messages on one line.
fn newest_messages(stderr: ChildStderr) -> String {
    let mut newest: Vec<String> = Vec::new();
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        // A line without end must not fill the memory; its rest is the next message.
        match reader.by_ref().take(MAX_MESSAGE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return newest.join("; "),
            Ok(_) => (),
        }
        let message = without_address(String::from_utf8_lossy(&line).trim());
        if message.is_empty() || newest.contains(&message) {
            continue;
        }
        newest.push(message);
        if newest.len() > MAX_MESSAGES {
            newest.remove(0);
        }
    }
}

/// A message without the address of the object it comes from: `[h264 @ 0x55d5739bf280] no frame!`.
fn without_address(message: &str) -> String {
    let parts = message.split_once(" @ 0x").and_then(|(source, rest)| Some((source, rest.split_once(']')?.1)));
    match parts {
        Some((source, rest)) if source.starts_with('[') => format!("{source}]{}", without_address(rest)),
        _ => message.into(),
    }
}

/// Arguments that read the file `path`, whatever its name.
pub(super) fn input(path: &Path) -> [OsString; 6] {
    let [protocols, formats, input] = ["-protocol_whitelist", "-format_whitelist", "-i"].map(OsString::from);
    [protocols, "file,pipe".into(), formats, FORMATS.into(), input, file_url(path)]
}

/// A path that `ffmpeg` takes neither for an option nor for an address or a pipe: `file:-odd name.mp4`.
pub(super) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// Turns plain arguments into those of a command.
pub(super) fn arguments<A: AsRef<OsStr>>(all: impl IntoIterator<Item = A>) -> Vec<OsString> {
    all.into_iter().map(|argument| argument.as_ref().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_looks_like_an_option_or_an_address_is_a_file() {
        assert_eq!(file_url("-y.mp4".as_ref()), "file:-y.mp4");
        assert_eq!(file_url("http://example.org/a.mp4".as_ref()), "file:http://example.org/a.mp4");
        assert!(input("a'b $(c).mp4".as_ref()).contains(&"file:a'b $(c).mp4".into()));
    }

    #[test]
    fn messages_are_quoted_without_addresses() {
        assert_eq!(without_address("[h264 @ 0x55d5739bf280] no frame!"), "[h264] no frame!");
        assert_eq!(without_address("[a @ 0x1] [b @ 0x2] x"), "[a] [b @ 0x2] x");
        assert_eq!(without_address("file:a @ 0x1.mp4: Invalid data"), "file:a @ 0x1.mp4: Invalid data");
    }

    #[test]
    fn a_missing_program_is_an_error_that_says_what_to_install() {
        let missing = io::Error::from(io::ErrorKind::NotFound);

        let error = Program::Ffprobe.start_error(missing).to_string();

        assert!(error.contains("ffprobe") && error.contains("apt install ffmpeg"), "{error}");
    }
}
