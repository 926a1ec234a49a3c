//! `ipcgan serve`: responses to photos, invalid and oversized uploads, and slow, hostile or disconnected clients.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

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

#[test]
fn a_photo_is_returned_at_another_age() {
    let server = Server::new(&[]);

    let found = server.ask("POST /api/faces", &photo());
    let aged = server.ask("POST /api/age?age=20&strength=1.5", &photo());

    let faces: Value = serde_json::from_slice(&found.body).unwrap();
    assert_eq!((found.status, &faces["width"], faces["faces"].as_array().unwrap().len()), (200, &Value::from(512), 1));
    assert!(aged.status == 200 && aged.head.contains("image/png"), "{}", aged.head);
    let [before, after] = [photo(), aged.body].map(|bytes| image::load_from_memory(&bytes).unwrap().into_rgb8());
    assert_eq!(before.dimensions(), after.dimensions());
    assert!(before != after);
    assert_eq!(before.get_pixel(5, 5), after.get_pixel(5, 5));
}

#[test]
fn a_photo_may_be_the_body_or_a_file_of_a_form() {
    let server = Server::new(&[]);
    let part = "Content-Disposition: form-data; name=\"photo\"; filename=\"x.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
    let form = [format!("--cut\r\n{part}").as_bytes(), &photo(), b"\r\n--cut--\r\n"].concat();

    let headers = "Content-Type: multipart/form-data; boundary=cut\r\n";
    let aged = Response::read(&mut server.send("POST /api/age?age=20", headers, &form));

    assert_eq!(aged.status, 200);
    assert!(aged.body == server.ask("POST /api/age?age=20", &photo()).body);
}

#[test]
fn photos_that_cannot_be_aged_are_rejected_with_the_reason() {
    let (server, photo) = (Server::new(&["--max-upload-mb", "1"]), photo());
    let mut wall = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(60, 60).write_to(&mut wall, image::ImageFormat::Png).unwrap();
    let mut damaged = wall.get_ref().clone();
    let data = damaged.windows(4).position(|kind| kind == b"IDAT").unwrap();
    damaged[data + 8..data + 20].fill(0xff);

    for (path, body, status, word) in [
        ("/api/faces", b"".as_slice(), 400, "no photo"),
        ("/api/faces", b"no image", 415, "not an image"),
        ("/api/faces", &photo[..photo.len() / 2], 422, "the photo is a JPEG that is cut short; copy or download it"),
        ("/api/faces", &damaged, 422, "the photo is a damaged PNG; copy or download it"),
        ("/api/faces", &vec![0; 2 << 20], 413, "1 MB"),
        ("/api/faces?age=60", &photo, 400, "no parameters"),
        ("/api/age", &photo, 400, "age"),
        ("/api/age?age=60", wall.get_ref(), 422, "no face"),
        ("/api/age?age=60&face=2", &photo, 422, "there is no face 2"),
        ("/api/age?age=old", &photo, 400, "51+"),
        ("/api/age?age=5", &photo, 400, "years from 11 to 120"),
        ("/api/age?age=60&age=20", &photo, 400, "age"),
        ("/api/age?age=60&strength=9", &photo, 400, "strength"),
        ("/api/age?age=60&format=gif", &photo, 400, "png, jpg"),
        ("/api/age?age=60&years=60", &photo, 400, "years"),
        ("/api/none", &photo, 404, "openapi"),
        ("/api/ages", &photo, 405, "GET"),
    ] {
        let refused = server.ask(&format!("POST {path}"), body);

        let reason = refused.reason();
        assert!(refused.status == status && reason.contains(word), "{path}: {} {reason}", refused.status);
    }
}

#[test]
fn a_photo_that_is_not_upright_is_rejected_with_how_to_rotate_it() {
    let server = Server::new(&[]);
    let upright = image::open(PHOTO).unwrap().into_rgb8();
    let mut turned = std::io::Cursor::new(Vec::new());
    image::imageops::rotate90(&upright).write_to(&mut turned, image::ImageFormat::Png).unwrap();

    let found = server.ask("POST /api/faces", turned.get_ref());
    let refused = server.ask("POST /api/age?age=60", turned.get_ref());

    let found: Value = serde_json::from_slice(&found.body).unwrap();
    assert!(found["faces"].as_array().unwrap().is_empty());
    assert!(found["hint"].as_str().unwrap().contains("rotating by 90 degrees counterclockwise"), "{found}");
    assert!(
        refused.status == 422 && refused.reason().contains("rotating by 90 degrees counterclockwise"),
        "{}",
        refused.reason()
    );
}

#[test]
fn a_resource_lists_its_allowed_methods() {
    let server = Server::new(&[]);

    for (path, allowed) in [("/api/ages", "allow: GET, HEAD, OPTIONS"), ("/api/age", "allow: POST, OPTIONS")] {
        let options = server.ask(&format!("OPTIONS {path}"), b"");
        let refused = server.ask(&format!("DELETE {path}"), b"");

        assert!(options.status == 204 && options.head.contains(allowed), "{}", options.head);
        assert!(refused.status == 405 && refused.head.contains(allowed), "{}", refused.head);
    }
    let head = server.ask("HEAD /api/ages", b"");
    assert!(head.status == 200 && head.body.is_empty());
}

#[test]
fn the_page_refers_to_no_other_host_and_its_policy_allows_none() {
    let server = Server::new(&[]);

    for (path, word) in [
        ("/", "<h1>"),
        ("/page.js", "./service.js"),
        ("/photo.js", "toBlob"),
        ("/service.js", "api/faces"),
        ("/page.css", "main"),
        ("/api/openapi.json", "3.1.0"),
    ] {
        let Response { status, head, body } = server.ask(&format!("GET {path}"), b"");

        let body = String::from_utf8(body).unwrap();
        assert!(status == 200 && body.contains(word), "{path}");
        assert!(!body.contains("https://"), "{path}");
        assert!(head.contains("default-src 'none'") && head.contains("nosniff"), "{head}");
    }
}

#[test]
fn other_hosts_and_pages_of_other_sites_are_rejected() {
    let server = Server::new(&["--allow-host", "photos.example"]);
    let status = |request: String, body: &[u8]| {
        let mut connection = server.connect();
        connection
            .write_all(format!("{request}Connection: close\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())
            .unwrap();
        connection.write_all(body).unwrap();
        Response::read(&mut connection).status
    };

    for (host, expected) in [("127.0.0.1:1", 200), ("photos.example", 200), ("evil.example", 403)] {
        assert_eq!(status(format!("GET / HTTP/1.1\r\nHost: {host}\r\n"), b""), expected, "{host}");
    }
    assert_eq!(status("GET / HTTP/1.1\r\n".into(), b""), 400);
    for (header, expected) in [
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Origin: http://localhost", 200),
        ("Origin: https://photos.example", 200),
        ("Origin: http://evil.example", 403),
        ("Origin: null", 403),
    ] {
        let head = format!("POST /api/faces HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
        assert_eq!(status(head, &photo()), expected, "{header}");
    }
}

#[test]
fn localhost_is_a_host_to_listen_on() {
    let server = Server::new(&["--listen", "localhost"]);

    assert!(server.address.starts_with("localhost:"), "{}", server.address);
    assert_eq!(server.ask("GET /api/ages", b"").status, 200);
}

#[test]
fn slow_senders_do_not_occupy_slots() {
    let server = Server::new(&["--timeout", "20"]);
    let began = Instant::now();
    // As many as the queue holds (two active, 32 waiting for each): if they took slots, no other request would be
    // served.
    let slow: Vec<TcpStream> = (0..66).map(|_| server.begin("POST /api/faces", "Content-Length: 1000\r\n")).collect();
    for mut connection in &slow {
        connection.write_all(b"x").unwrap();
    }

    let honest = server.ask("POST /api/faces", &photo());

    assert_eq!(honest.status, 200);
    assert!(began.elapsed() < Duration::from_secs(20), "the slow senders were waited for");
}

#[test]
fn a_slow_sender_gets_a_timeout_response() {
    let server = Server::new(&["--timeout", "1"]);
    let mut slow = server.begin("POST /api/faces", "Content-Length: 1000\r\n");
    slow.write_all(b"abc").unwrap();

    let refused = Response::read(&mut slow);

    assert_eq!((refused.status, refused.reason().as_str()), (408, "the upload timed out"));
}

#[test]
fn a_client_that_reads_nothing_is_disconnected() {
    let server = Server::new(&["--timeout", "1"]);
    let mut noise = image::RgbImage::from_fn(2000, 2000, |x, y| {
        let mixed = (x + 2000 * y).wrapping_mul(2_654_435_761);
        image::Rgb([(mixed >> 8) as u8, (mixed >> 16) as u8, (mixed >> 24) as u8])
    });
    image::imageops::replace(&mut noise, &image::open(PHOTO).unwrap().into_rgb8(), 700, 700);
    let mut photo = std::io::Cursor::new(Vec::new());
    noise.write_to(&mut photo, image::ImageFormat::Png).unwrap();
    let whole = server.ask("POST /api/age?age=20", photo.get_ref());
    assert_eq!(whole.status, 200);

    let mut connection = server.send("POST /api/age?age=20", "", photo.get_ref());
    // Fails when the server has closed the connection.
    while connection.write_all(b" ").is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }

    let mut response = Vec::new();
    let _ = connection.read_to_end(&mut response);
    assert!(response.len() < whole.body.len(), "{} of {} bytes came", response.len(), whole.body.len());
}

#[test]
fn idle_connections_do_not_block_new_ones() {
    let server = Server::new(&[]);
    // More than the server keeps open.
    let _idle: Vec<TcpStream> = (0..600).map(|_| server.connect()).collect();

    let began = Instant::now();
    let honest = server.ask("GET /api/ages", b"");

    // Far longer than a response takes, and shorter than the time for which an idle connection is kept while slots are
    // free.
    assert!(honest.status == 200 && began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[test]
fn connections_with_an_incomplete_head_or_without_a_next_request_are_closed() {
    let server = Server::new(&["--timeout", "1"]);

    for text in ["GET / HTTP/1.1\r\nHost: localhost\r\n", "GET /page.css HTTP/1.1\r\nHost: localhost\r\n\r\n", ""] {
        let mut connection = server.connect();
        connection.write_all(text.as_bytes()).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();

        // Returns only when the server closes the connection, which the request does not ask for.
        connection.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn a_client_that_sends_its_whole_body_first_can_read_every_rejection() {
    let server = Server::new(&[]);
    let body = vec![7; 40 << 20];

    for (request, headers, status) in [
        ("POST /api/faces", "", 413),
        ("POST /api/age?age=old", "", 400),
        ("POST /api/age?age=60", "Origin: http://evil.example\r\n", 403),
        ("POST /api/none", "", 404),
        ("PUT /api/age", "", 405),
    ] {
        let refused = Response::read(&mut server.send(request, headers, &body));

        assert_eq!(refused.status, status, "{request}");
        assert!(!refused.reason().is_empty());
    }
}

#[test]
fn a_body_of_unknown_length_is_rejected_when_it_is_too_large() {
    let server = Server::new(&[]);
    let mut connection = server.begin("POST /api/faces", "Transfer-Encoding: chunked\r\n");
    let chunk = [b"100000\r\n".as_slice(), &vec![7; 1 << 20], b"\r\n"].concat();
    for _ in 0..40 {
        connection.write_all(&chunk).unwrap();
    }
    connection.write_all(b"0\r\n\r\n").unwrap();

    assert_eq!(Response::read(&mut connection).status, 413);
}

#[test]
fn a_client_that_expects_100_continue_does_not_send_a_rejected_body() {
    let server = Server::new(&[]);

    let headers = "Expect: 100-continue\r\nContent-Length: 41943040\r\n";
    let refused = Response::read(&mut server.begin("POST /api/faces", headers));

    assert_eq!(refused.status, 413, "{}", refused.head);
}

#[test]
fn invalid_requests_are_rejected_and_the_server_keeps_running() {
    let server = Server::new(&[]);

    for text in [
        "\0\0\0\0\r\n\r\n".as_bytes(),
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
        b"POST /api/faces HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/faces HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /%ff%fe?%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut connection = server.connect();
        connection.write_all(text).unwrap();
        connection.shutdown(std::net::Shutdown::Write).unwrap();
        let mut response = Vec::new();
        let _ = connection.read_to_end(&mut response);

        let response = String::from_utf8_lossy(&response);
        assert!(response.is_empty() || response.contains(" 40") || response.contains(" 204"), "{response}");
    }
    assert_eq!(server.ask("GET /api/ages", b"").status, 200);
}

#[test]
fn a_disconnected_client_frees_its_slot() {
    let (server, photo) = (Server::new(&["--concurrency", "1"]), photo());

    // More than the queue holds (one active, 32 waiting): if they kept their slots, no other request would be served.
    for _ in 0..50 {
        drop(server.send("POST /api/age?age=60", "", &photo));
    }

    let mut status = 503;
    for _ in 0..200 {
        Response { status, .. } = server.ask("POST /api/age?age=60", &photo);
        if status != 503 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(status, 200);
}

/// A connection whose upload is incomplete.
#[cfg(unix)]
fn waited_for(server: &Server) -> TcpStream {
    let headers = format!("Expect: 100-continue\r\nContent-Length: {}\r\n", photo().len());
    let mut connection = server.begin("POST /api/faces", &headers);
    let mut told = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut told).unwrap();
    connection
}

#[cfg(unix)]
#[test]
fn requests_in_progress_are_finished_before_the_program_ends() {
    for signal in ["-INT", "-TERM"] {
        let mut server = Server::new(&[]);
        let _idle = server.connect();
        let mut connection = waited_for(&server);

        server.signal(signal);
        connection.write_all(&photo()).unwrap();

        let response = Response::read(&mut connection);
        assert!(response.status == 200 && String::from_utf8(response.body).unwrap().contains("landmarks"));
        assert_eq!(server.program.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_the_program_immediately() {
    let mut server = Server::new(&["--timeout", "3600"]);
    let mut connection = waited_for(&server);
    // Continue sending, so that the sender is not too slow.
    connection.write_all(&photo()[..1000]).unwrap();

    server.signal("-TERM");
    // The server accepts no further connections after the first signal.
    while TcpStream::connect(&server.address).is_ok() {
        std::thread::yield_now();
    }
    server.signal("-TERM");

    assert_eq!(server.program.wait().unwrap().code(), Some(130));
}

#[test]
fn many_clients_are_all_served() {
    let (server, photo) = (Server::new(&[]), photo());

    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| (0..3).all(|_| server.ask("POST /api/age?age=60", &photo).status == 200)))
            .collect();
        assert!(clients.into_iter().all(|client| client.join().unwrap()));
    });
}
