//! The web page's program: what it answers to photos, to what is none, and to too much.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/photos/grace-hopper.jpg");

/// The program, on a port of its own; it ends with the value.
struct Served {
    program: Child,
    address: String,
}

impl Served {
    fn new(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
        command.args(["serve", "--port", "0", "--device", "cpu"]).args(arguments);
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_string();
        Self { program, address }
    }

    /// A request that was sent.
    fn send(&self, method: &str, path: &str, body: &[u8]) -> TcpStream {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).unwrap();
        // A body that is refused need not be read to its end.
        let _ = connection.write_all(body);
        connection
    }

    /// Status, head and body of what is answered.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut connection = self.send(method, path, body);
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head, answer[end + 4..].to_vec())
    }

    /// The status for a photo, and why it was refused.
    fn refusal(&self, path: &str, body: &[u8]) -> (u16, String) {
        let (status, _, body) = self.ask("POST", path, body);
        let said: Value = serde_json::from_slice(&body).unwrap();
        (status, said["error"].as_str().unwrap().to_string())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[test]
fn a_photo_comes_back_at_another_age() {
    let (served, photo) = (Served::new(&[]), fs::read(PHOTO).unwrap());

    let (found, _, faces) = served.ask("POST", "/api/faces", &photo);
    let (status, head, aged) = served.ask("POST", "/api/age?age=20&strength=1.5", &photo);

    let faces: Value = serde_json::from_slice(&faces).unwrap();
    assert_eq!((found, &faces["width"], faces["faces"].as_array().unwrap().len()), (200, &Value::from(512), 1));
    assert!(status == 200 && head.contains("image/png"), "{head}");
    let [before, after] = [photo, aged].map(|bytes| image::load_from_memory(&bytes).unwrap().into_rgb8());
    assert_eq!(before.dimensions(), after.dimensions());
    assert!(before != after);
    assert_eq!(before.get_pixel(5, 5), after.get_pixel(5, 5));
}

#[test]
fn what_cannot_be_aged_is_refused_with_the_reason() {
    let (served, photo) = (Served::new(&["--most-megabytes", "1"]), fs::read(PHOTO).unwrap());
    let mut wall = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(60, 60).write_to(&mut wall, image::ImageFormat::Png).unwrap();

    for (path, body, status, word) in [
        ("/api/faces", b"no picture".as_slice(), 415, "not a PNG"),
        ("/api/faces", &photo[..photo.len() / 2], 422, "cut short"),
        ("/api/faces", &vec![0; 2 << 20], 413, "1 megabytes"),
        ("/api/age?age=60", wall.get_ref(), 422, "no face"),
        ("/api/age?age=60&face=2", &photo, 422, "there is no face 2"),
        ("/api/age?age=old", &photo, 400, "51+"),
        ("/api/age?age=60&strength=9", &photo, 400, "strength"),
        ("/api/age?age=60&format=gif", &photo, 400, "png, jpg and webp"),
    ] {
        let (found, said) = served.refusal(path, body);

        assert!(found == status && said.contains(word), "{path}: {found} {said}");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere_and_may_do_nothing_there() {
    let served = Served::new(&[]);

    for (path, word) in [
        ("/", "<h1>"),
        ("/page.js", "./service.js"),
        ("/service.js", "api/faces"),
        ("/page.css", "main"),
        ("/api/openapi.json", "3.1.0"),
    ] {
        let (status, head, body) = served.ask("GET", path, b"");

        let body = String::from_utf8(body).unwrap();
        assert!(status == 200 && body.contains(word), "{path}");
        assert!(!body.contains("https://"), "{path}");
        assert!(head.contains("default-src 'none'") && head.contains("nosniff"), "{head}");
    }
}

#[test]
fn a_slow_sender_blocks_nobody_and_is_told_so_in_the_end() {
    let (served, photo) = (Served::new(&["--at-once", "1", "--seconds", "2"]), fs::read(PHOTO).unwrap());
    let mut slow = TcpStream::connect(&served.address).unwrap();
    slow.write_all(b"POST /api/faces HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nabc")
        .unwrap();

    assert_eq!(served.ask("POST", "/api/faces", &photo).0, 200);

    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn who_never_ends_a_question_and_who_asks_no_more_is_hung_up_on() {
    let served = Served::new(&["--seconds", "1"]);
    let connected = |text: &str| {
        let mut connection = TcpStream::connect(&served.address).unwrap();
        connection.write_all(text.as_bytes()).unwrap();
        connection.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        connection
    };

    for text in ["GET / HTTP/1.1\r\nHost: here\r\n", "GET /page.css HTTP/1.1\r\nHost: here\r\n\r\n", ""] {
        let mut connection = connected(text);

        // Ends only when the program hangs up: nobody here says that the connection is to be closed.
        connection.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn who_hangs_up_gives_the_turn_back() {
    let (served, photo) = (Served::new(&["--at-once", "1"]), fs::read(PHOTO).unwrap());

    // More than may wait (one at work, 32 behind it): if any kept its place, in the line or at work, nobody came in any more.
    for _ in 0..50 {
        drop(served.send("POST", "/api/age?age=60", &photo));
    }

    let mut status = 503;
    for _ in 0..200 {
        (status, ..) = served.ask("POST", "/api/age?age=60", &photo);
        if status != 503 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(status, 200);
}

#[cfg(unix)]
#[test]
fn what_was_asked_is_answered_before_the_program_ends() {
    let (mut served, photo) = (Served::new(&[]), fs::read(PHOTO).unwrap());
    let _idle = TcpStream::connect(&served.address).unwrap();
    let mut connection = TcpStream::connect(&served.address).unwrap();
    let head = "POST /api/faces HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\n";
    write!(connection, "{head}Content-Length: {}\r\n\r\n", photo.len()).unwrap();
    // The program waits for the photo now.
    let mut told = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut told).unwrap();

    let sent = Command::new("kill").args(["-INT", &served.program.id().to_string()]).status().unwrap();
    assert!(sent.success());
    connection.write_all(&photo).unwrap();

    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("landmarks"), "{answer}");
    assert_eq!(served.program.wait().unwrap().code(), Some(0));
}

#[test]
fn many_at_once_are_all_answered() {
    let (served, photo) = (Served::new(&[]), fs::read(PHOTO).unwrap());

    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| (0..3).all(|_| served.ask("POST", "/api/age?age=60", &photo).0 == 200)))
            .collect();
        assert!(clients.into_iter().all(|client| client.join().unwrap()));
    });
}
