//! `ipcgan serve`: responses to photos, invalid and oversized uploads, and slow, hostile or disconnected clients.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod limits;
mod requests;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/photos/grace-hopper.jpg");

/// The server on a free port; killed on drop.
struct Server {
    program: Child,
    address: String,
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn read(connection: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        connection.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        connection.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: bytes[end + 4..].to_vec() }
    }

    /// The error message of the response.
    fn reason(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["error"].as_str().unwrap().to_string()
    }
}

impl Server {
    fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
        command.args(["serve", "--port", "0", "--device", "cpu"]).args(arguments);
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_string();
        Self { program, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// Opens a connection and sends a request header with these lines.
    fn begin(&self, request: &str, headers: &str) -> TcpStream {
        let mut connection = self.connect();
        let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        connection.write_all(head.as_bytes()).unwrap();
        connection
    }

    /// Opens a connection and sends a whole request.
    fn send(&self, request: &str, headers: &str, body: &[u8]) -> TcpStream {
        let mut connection = self.begin(request, &format!("{headers}Content-Length: {}\r\n", body.len()));
        connection.write_all(body).unwrap();
        connection
    }

    fn ask(&self, request: &str, body: &[u8]) -> Response {
        Response::read(&mut self.send(request, "", body))
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.program.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn photo() -> Vec<u8> {
    fs::read(PHOTO).unwrap()
}
