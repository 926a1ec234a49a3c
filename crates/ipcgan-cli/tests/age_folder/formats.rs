//! Files of every format, damaged ones, and files that are not photos.

use super::*;

#[test]
fn skipped_files_are_counted_and_reported() {
    let folder = folder(&["photos/a.png"]);
    for name in ["b.dng", "c.psd", "clip.mov", "notes.txt", ".hidden.jpg"] {
        fs::write(folder.path().join("photos").join(name), "no photo").unwrap();
    }

    let (results, stderr) = age(0, folder.path(), &["photos", "--to", "51+", "--json"]);

    assert!(stderr.contains("not read: 1 camera RAW: develop it") && stderr.contains("1 video: name it"), "{stderr}");
    let last: Value = serde_json::from_str(results.lines().last().unwrap()).unwrap();
    let summary = &last["summary"];
    assert_eq!(summary["aged"], 1);
    for kind in ["camera RAW", "Photoshop", "video", "other file", "hidden"] {
        assert_eq!(summary["skipped"][kind], 1, "{kind}: {summary}");
    }
}

#[test]
fn a_photo_is_read_from_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let age = |input: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
        command.current_dir(folder.path()).args(["age", "-", "--device", "cpu", "--to", "51+"]);
        command.stdin(input).output().unwrap()
    };
    let photo = |name: &str| Stdio::from(fs::File::open(asset(name)).unwrap());

    let (first, _) = ended(0, &age(photo("eileen-collins.jpg")));
    let (other, _) = ended(0, &age(photo("grace-hopper.jpg")));
    let (_, stderr) = ended(1, &age(Stdio::null()));

    assert_eq!(first, "aged/stdin-51+.jpg\naged/stdin-51+-strip.png\n");
    assert!(other.starts_with("aged/stdin-2-51+.jpg\n"), "another photo keeps the first one's results: {other}");
    assert!(stderr.contains("standard input is"), "{stderr}");
}

#[test]
fn frames_are_written_in_numerical_order_without_damaged_ones() {
    let folder = folder(&["f1.png", "f10.png"]);
    fs::write(folder.path().join("f2.png"), "no photo").unwrap();

    let (results, stderr) = age(1, folder.path(), &["--video", "--to", "51+", "f10.png", "f1.png", "f2.png"]);

    assert_eq!(results, "aged/f1-51+.png\naged/f10-51+.png\n");
    assert!(
        stderr.contains("error: f2.png is ") && stderr.contains("error: 1 of 3 photos could not be aged"),
        "{stderr}"
    );
}

/// A TIFF of 64 x 64 zero pixels with these values of BitsPerSample, Compression and PhotometricInterpretation.
fn tiff(bits: u16, compression: u16, colours: u16) -> Vec<u8> {
    let tags =
        [(256, 64), (257, 64), (258, bits), (259, compression), (262, colours), (273, 200), (278, 64), (279, 4096)];
    let mut bytes = b"II*\0\x08\0\0\0\x08\0".to_vec();
    for (tag, value) in tags {
        bytes.extend([u16::to_le_bytes(tag), u16::to_le_bytes(3)].concat());
        bytes.extend([1u32.to_le_bytes(), u32::from(value).to_le_bytes()].concat());
    }
    bytes.resize(200 + 4096, 0);
    bytes
}

/// Files that cannot be aged, each with a part of the reason.
///
/// `data/grace-hopper.avif` is the photo of `assets/photos` at 256 x 300 pixels, saved by Pillow with quality 60.
fn broken_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let encoded = |photo: RgbImage, format| -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        photo.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let whole = |format| encoded(portrait("grace-hopper.jpg"), format);
    let cut = |format| {
        let bytes = whole(format);
        bytes[..bytes.len() / 2].to_vec()
    };
    let damaged = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle..middle + 200].fill(0xff);
        bytes
    };
    let huge = {
        let mut bytes = whole(Bmp);
        bytes[18..26].copy_from_slice(&[0x60, 0xea, 0, 0, 0x60, 0xea, 0, 0]);
        bytes
    };
    let lzw = damaged(include_bytes!("../../../ipcgan-data/tests/data/lzw.tif").to_vec());
    let avif = include_bytes!("../data/grace-hopper.avif").to_vec();
    // Damage the AV1 header: damage after it only changes pixels.
    let mut headless = avif.clone();
    let data = avif.windows(4).position(|kind| kind == b"mdat").unwrap() + 4;
    headless[data..data + 40].fill(0xff);
    let wall = |side| encoded(RgbImage::new(side, side), Png);
    vec![
        ("empty.jpg", Vec::new(), "is an empty file; copy or download it again"),
        ("text.jpg", b"no photo".to_vec(), "is a text, not an image"),
        ("page.jpg", b"<!DOCTYPE html><html>404".to_vec(), "is a web page (HTML), not an image"),
        ("document.png", b"%PDF-1.7".to_vec(), "is a PDF document, not an image"),
        ("zeros.jpg", vec![0; 9000], "is a file of zeros, not an image"),
        ("unknown.png", b"\x01\x02\x03\x04\x05\x06".to_vec(), "is not an image of a supported format"),
        ("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec(), "HEIC"),
        ("film.jpg", b"\0\0\0\x20ftypisom".to_vec(), "is a video"),
        ("cut.jpg", cut(Jpeg), "is a JPEG that is cut short; copy or download it again"),
        ("damaged.jpg", damaged(whole(Jpeg)), "JPEG"),
        ("cut.png", cut(Png), "is a PNG that is cut short; copy or download it again"),
        ("damaged.png", damaged(whole(Png)), "is a damaged PNG; copy or download it again"),
        ("cut.gif", cut(Gif), "GIF"),
        ("damaged.gif", damaged(whole(Gif)), "GIF"),
        ("cut.webp", cut(WebP), "is a WebP that is cut short; copy or download it again"),
        ("cut.bmp", cut(Bmp), "is a BMP that is cut short; copy or download it again"),
        ("huge.bmp", huge, "60000 x 60000 pixels"),
        ("cut.tiff", cut(Tiff), "is a TIFF that is cut short; copy or download it again"),
        ("damaged.tiff", lzw, "is a damaged TIFF; copy or download it again"),
        ("palette.tif", tiff(8, 1, 3), "is a TIFF with a colour palette, which cannot be read; save it in RGB"),
        ("lab.tif", tiff(8, 1, 8), "is a TIFF with CIELab colours, which cannot be read; save it in RGB"),
        ("zstd.tif", tiff(8, 50000, 1), "is a TIFF with ZSTD compression, which cannot be read; save it with LZW"),
        ("lzma.tif", tiff(8, 34925, 1), "is a TIFF with LZMA compression, which cannot be read; save it with LZW"),
        ("cut.avif", avif[..avif.len() / 2].to_vec(), "AVIF"),
        ("damaged.avif", headless, "AVIF"),
        ("dot.png", wall(1), "has only 1 x 1 pixels"),
        ("wall.png", wall(64), "no face found in"),
    ]
}

#[test]
fn intact_photos_of_every_format_are_aged_and_all_other_files_are_reported() {
    let mut good = vec!["a.jpg", "b.png", "c.webp", "d.gif", "e.tif", "f.bmp", "g.jfif", "h.JPE"];
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    for name in &good {
        let format = match *name {
            "g.jfif" | "h.JPE" => image::ImageFormat::Jpeg,
            name => image::ImageFormat::from_path(name).unwrap(),
        };
        portrait("grace-hopper.jpg").save_with_format(photos.join(name), format).unwrap();
    }
    if cfg!(feature = "avif") {
        fs::write(photos.join("i.avif"), include_bytes!("../data/grace-hopper.avif")).unwrap();
        good.push("i.avif");
    }
    let broken = broken_files();
    for (name, bytes, _) in &broken {
        fs::write(photos.join(name), bytes).unwrap();
    }

    let (json, stderr) = age(1, folder.path(), &["photos", "--to", "51+", "--format", "jpg", "--json"]);

    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, lines) = lines.split_last().unwrap();
    let line = |name: &str| {
        let path = format!("photos/{name}");
        let mut found = lines.iter().filter(|line| line["path"] == path.as_str());
        let line = found.next().unwrap_or_else(|| panic!("no line of {name}"));
        assert!(found.next().is_none(), "two lines of {name}");
        line
    };
    for name in &good {
        let result = line(name)["images"]["51+"].as_str().unwrap_or_else(|| panic!("{name}: {}", line(name)));
        assert_eq!(image::open(folder.path().join(result)).unwrap().into_rgb8().dimensions(), (256, 300), "{name}");
    }
    for (name, _, reason) in &broken {
        let error = line(name)["error"].as_str().unwrap_or_else(|| panic!("{name} was aged"));
        assert!(error.contains(name) && error.contains(reason), "{name}: {error}");
        // The message includes advice.
        assert!(error.contains("; "), "{name}: {error}");
        assert!(stderr.lines().any(|line| line == format!("error: {error}")), "{name}: {stderr}");
    }
    assert_eq!(lines.len(), good.len() + broken.len());
    assert_eq!(
        (&summary["summary"]["aged"], &summary["summary"]["failed"]),
        (&good.len().into(), &broken.len().into())
    );
    let last = format!("error: {} of {} photos could not be aged", broken.len(), good.len() + broken.len());
    assert_eq!(stderr.lines().last(), Some(last.as_str()));
}
