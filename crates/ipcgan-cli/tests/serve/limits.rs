//! Limits in size and time: slow, hostile and disconnected clients, and the end of the server.

use super::*;

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
    let mut interim = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    connection.read_exact(&mut interim).unwrap();
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
