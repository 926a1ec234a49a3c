//! Responses to photos and to invalid requests.

use super::*;

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
        ("/api/faces?age=60", &photo, 400, "no query parameters"),
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
fn many_clients_are_all_served() {
    let (server, photo) = (Server::new(&[]), photo());

    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| (0..3).all(|_| server.ask("POST /api/age?age=60", &photo).status == 200)))
            .collect();
        assert!(clients.into_iter().all(|client| client.join().unwrap()));
    });
}
