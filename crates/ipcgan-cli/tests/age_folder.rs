//! `ipcgan age` on folders: names, duplicates, earlier results, and files that are not photos.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::RgbImage;
use image::imageops::{FilterType, resize, rotate90, rotate180, rotate270};
use serde_json::Value;
use tempfile::TempDir;

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos").join(name)
}

/// A small portrait, which is aged quickly.
fn portrait(name: &str) -> RgbImage {
    resize(&image::open(asset(name)).unwrap().into_rgb8(), 256, 300, FilterType::Triangle)
}

/// A folder with the files `names`, each a portrait.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        save(&folder.path().join(name), "grace-hopper.jpg");
    }
    folder
}

fn save(path: &Path, person: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    portrait(person).save(path).unwrap();
}

fn ipcgan(folder: &Path, arguments: &[&str]) -> Output {
    let arguments = ["age", "--device", "CPU"].iter().chain(arguments);
    Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder).args(arguments).output().unwrap()
}

/// Standard output and standard error of a command that must exit with `code`.
fn ended(code: i32, output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (results, diagnostics) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{results}{diagnostics}");
    assert!(!diagnostics.contains("panicked"), "{diagnostics}");
    (results, diagnostics)
}

fn age(code: i32, folder: &Path, arguments: &[&str]) -> (String, String) {
    ended(code, &ipcgan(folder, arguments))
}

#[test]
fn given_one_damaged_photo_the_others_are_aged_and_the_next_command_resumes() {
    let folder = folder(&["photos/a.png", "photos/trip/b.png"]);
    fs::write(folder.path().join("photos/broken.jpg"), "no photo").unwrap();
    let age = |arguments: &[&str]| age(1, folder.path(), &[&["photos", "--to", "51+"], arguments].concat());

    let (first, stderr) = age(&[]);
    assert!(stderr.contains("photos aged: 2, failed: 1\nerror: 1 of 3 photos could not be aged"), "{stderr}");
    let (second, stderr) = age(&[]);
    assert_eq!(second, "");
    assert!(stderr.contains("aged before: 2 (--reprocess"), "{stderr}");
    let (again, stderr) = age(&["--reprocess"]);
    assert!(stderr.contains("4 results of earlier commands were replaced"), "{stderr}");
    let (stronger, _) = age(&["--strength", "2"]);

    for path in ["aged/a-51+.png", "aged/trip/b-51+.png"] {
        assert!(first.contains(path) && again.contains(path) && stronger.contains(path), "{path}");
    }
    let (_, stderr) = age(&["--strength", "2"]);
    assert!(stderr.contains("aged before: 2"), "{stderr}");
}

#[test]
fn a_replaced_photo_is_aged_again() {
    let folder = folder(&["photos/a.bmp"]);
    let photo = folder.path().join("photos/a.bmp");
    let time = fs::metadata(&photo).unwrap().modified().unwrap();
    let results = || age(0, folder.path(), &["photos", "--to", "51+"]).0;
    assert!(results().contains("a-51+.png"));
    assert_eq!(results(), "");

    // Like `cp -p`, with the same size and modification time.
    save(&photo, "eileen-collins.jpg");
    fs::File::options().write(true).open(&photo).unwrap().set_modified(time).unwrap();

    assert!(results().contains("a-51+.png"));
}

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
fn a_photo_added_later_with_the_same_stem_gets_another_result_name() {
    let folder = folder(&["photos/IMG_1.png"]);
    age(0, folder.path(), &["photos", "--to", "51+"]);
    let first = fs::read(folder.path().join("aged/IMG_1-51+.png")).unwrap();
    save(&folder.path().join("photos/IMG_1.JPG"), "eileen-collins.jpg");

    let (results, stderr) = age(0, folder.path(), &["photos", "--to", "51+"]);

    assert!(results.starts_with("aged/IMG_1-jpg-51+.jpg\n"), "{results}");
    assert!(stderr.contains("photos/IMG_1.JPG: results are named IMG_1-jpg-"), "{stderr}");
    assert_eq!(fs::read(folder.path().join("aged/IMG_1-51+.png")).unwrap(), first);
}

#[test]
fn no_user_file_is_replaced() {
    let folder = folder(&["photo.png", "photo-51+.png"]);
    let own = ["photo.gif", "photo-face1-strip.png", "photo-51+-strip.png", "PHOTO-2.gif"];
    for name in own {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let before = fs::read(folder.path().join("photo-51+.png")).unwrap();

    let arguments = ["photo.png", "photo-51+.png", "--to", "51+", "--animate", "--out", "."];
    let (results, _) = age(0, folder.path(), &arguments);

    assert!(results.contains("./photo-3-51+.png\n./photo-3-51+-strip.png\n./photo-3.gif\n"), "{results}");
    assert_eq!(fs::read(folder.path().join("photo-51+.png")).unwrap(), before);
    for name in own {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), name);
    }
}

#[test]
fn photos_of_one_name_from_two_folders_keep_their_results() {
    let folder = folder(&["one/a.png"]);
    save(&folder.path().join("two/a.png"), "eileen-collins.jpg");
    age(0, folder.path(), &["one/a.png", "--to", "51+"]);
    let first = fs::read(folder.path().join("aged/a-51+.png")).unwrap();

    let (results, _) = age(0, folder.path(), &["two/a.png", "--to", "51+"]);

    assert!(results.starts_with("aged/a-2-51+.png"), "{results}");
    assert_eq!(fs::read(folder.path().join("aged/a-51+.png")).unwrap(), first);
}

#[test]
fn a_contact_sheet_of_other_ages_is_kept() {
    let folder = folder(&["a.png"]);
    let (first, _) = age(0, folder.path(), &["a.png", "--to", "25, 45", "--format", "JPEG"]);
    let (second, _) = age(0, folder.path(), &["a.png", "--to", "51+"]);

    assert_eq!(first, "aged/a-25.jpg\naged/a-45.jpg\naged/a-25_45-strip.png\n");
    assert_eq!(second, "aged/a-51+.png\naged/a-51+-strip.png\n");
}

#[test]
fn results_of_earlier_commands_are_not_aged() {
    let folder = folder(&["a.png"]);
    age(0, folder.path(), &[".", "--to", "51+", "--out", "older"]);

    let (results, stderr) = age(0, folder.path(), &[".", "--to", "51+", "--out", "other"]);

    assert_eq!(results, "other/a-51+.png\nother/a-51+-strip.png\n");
    assert!(stderr.contains("skipped: 3 results of earlier commands"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn file_names_that_are_not_utf_8_are_accepted() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let latin1 = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let folder = folder(&["photos/z.png"]);
    let photos = folder.path().join("photos");
    fs::rename(photos.join("z.png"), photos.join(latin1(b"caf\xe9.png"))).unwrap();
    save(&photos.join("z.png"), "eileen-collins.jpg");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder.path()).args(["age", "photos", "--device", "cpu", "--to", "51+", "--out"]);
    command.arg(latin1(b"\xe2ges"));

    let output = command.output().unwrap();
    ended(0, &output);
    assert!(output.stdout.starts_with(b"\xe2ges/caf\xe9-51+.png\n"));
    assert!(folder.path().join(latin1(b"\xe2ges/caf\xe9-51+.png")).is_file());

    let (_, stderr) = ended(0, &command.output().unwrap());
    assert!(stderr.contains("aged before: 2"), "{stderr}");
    let (json, _) = ended(0, &command.args(["--reprocess", "--json"]).output().unwrap());
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["path"]["bytes"], "70686f746f732f636166e92e706e67");
    assert_eq!(first["path"]["text"], "photos/caf\u{fffd}.png");
    let missing = command.arg("--weights").arg(latin1(b"w\xe9.safetensors")).output().unwrap();
    assert!(ended(1, &missing).1.contains("w\u{fffd}.safetensors"));
}

#[cfg(unix)]
#[test]
fn a_broken_link_is_reported_and_the_rest_is_aged() {
    let folder = folder(&["photos/a.png"]);
    std::os::unix::fs::symlink("gone.png", folder.path().join("photos/broken.png")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("photos/loop")).unwrap();

    let (results, stderr) = age(1, folder.path(), &["photos", "--to", "51+"]);

    assert!(results.contains("aged/a-51+.png"), "{results}");
    assert!(stderr.contains("error: photos/broken.png is a broken link, to gone.png"), "{stderr}");
    assert!(stderr.contains("1 link to a folder around it") && stderr.contains("error: 1 folder or link"), "{stderr}");

    let (json, _) = age(1, folder.path(), &["photos", "--to", "51+", "--json"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["path"], "photos/broken.png");
    assert!(first["error"].as_str().unwrap().contains("broken link"), "{json}");
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

#[test]
fn an_aligned_crop_keeps_its_size_and_a_whole_photo_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let crop = image::open(asset("eileen-collins-face.png")).unwrap().into_rgb8();
    let crop = resize(&crop, 256, 256, FilterType::Triangle);
    crop.save(folder.path().join("crop.png")).unwrap();
    fs::copy(asset("eileen-collins.jpg"), folder.path().join("photo.jpg")).unwrap();

    age(0, folder.path(), &["crop.png", "--aligned", "--to", "51+"]);
    let (_, stderr) = age(1, folder.path(), &["photo.jpg", "--aligned", "--to", "51+"]);

    let aged = image::open(folder.path().join("aged/crop-51+.png")).unwrap().into_rgb8();
    assert_eq!(aged.dimensions(), (256, 256));
    assert!(aged.get_pixel(128, 128) != crop.get_pixel(128, 128) || aged != crop, "nothing changed");
    assert_eq!(aged.get_pixel(0, 0), crop.get_pixel(0, 0), "outside the face");
    assert!(stderr.contains("photo.jpg is no aligned face") && stderr.contains("leave out --aligned"), "{stderr}");
    assert!(!folder.path().join("aged/photo-51+.jpg").exists());
}

#[test]
fn a_photo_that_is_not_upright_is_rejected_with_advice_to_rotate_it() {
    let folder = tempfile::tempdir().unwrap();
    let upright = image::open(asset("grace-hopper.jpg")).unwrap().into_rgb8();
    for (turned, advice) in [
        (rotate270(&upright), "after rotating by 90 degrees clockwise"),
        (rotate90(&upright), "after rotating by 90 degrees counterclockwise"),
        (rotate180(&upright), "upside down"),
    ] {
        turned.save(folder.path().join("turned.png")).unwrap();

        let output = ipcgan(folder.path(), &["turned.png", "--to", "51+"]);

        // The detector may find a rotated face too.
        if !output.status.success() {
            let (_, stderr) = ended(1, &output);
            assert!(stderr.contains(advice), "{advice}: {stderr}");
        }
    }
}

#[test]
fn weights_with_nan_are_reported_and_nothing_is_written() {
    let folder = folder(&["a.png"]);
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/weights/generator.safetensors");
    let mut bytes = fs::read(weights).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    // All bits set is a NaN in single and in half precision.
    bytes[8 + header..8 + header + 64].fill(0xff);
    fs::write(folder.path().join("nan.safetensors"), bytes).unwrap();

    let (results, stderr) = age(1, folder.path(), &["a.png", "--weights", "nan.safetensors", "--to", "51+"]);

    assert_eq!(results, "");
    assert!(stderr.contains("error: nan.safetensors") && stderr.contains("finite"), "{stderr}");
    assert!(!folder.path().join("aged/a-51+.png").exists());
}

#[test]
fn results_of_alternating_selections_are_remembered() {
    let folder = folder(&["photos/a.png"]);
    let age = |arguments: &[&str]| age(0, folder.path(), &[&["photos"], arguments].concat());

    let (first, _) = age(&["--to", "51+"]);
    let (second, _) = age(&["--to", "25"]);
    for selection in ["51+", "25", "51+"] {
        let (results, stderr) = age(&["--to", selection]);
        assert!(results.is_empty() && stderr.contains("aged before: 1"), "{selection}: {results}{stderr}");
    }
    assert!(first.contains("a-51+.png") && second.contains("a-25.png"));

    // Results of another strength replace the first ones.
    let (_, stderr) = age(&["--to", "51+", "--strength", "2"]);
    assert!(stderr.contains("2 results of earlier commands were replaced"), "{stderr}");
    let (results, stderr) = age(&["--to", "51+"]);
    assert!(
        results.contains("a-51+.png") && stderr.contains("2 results of earlier commands were replaced"),
        "{stderr}"
    );
    assert!(age(&["--to", "25"]).1.contains("aged before: 1"));
}

#[test]
fn a_temporary_file_of_a_killed_command_is_removed_by_the_next_one() {
    let folder = folder(&["a.png"]);
    let out = folder.path().join("aged");
    fs::create_dir(&out).unwrap();
    fs::write(out.join(".ipcgan-K1lled.part"), "half").unwrap();
    fs::write(out.join(".notes.part"), "mine").unwrap();

    age(0, folder.path(), &["a.png", "--to", "51+"]);

    let mut names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".notes.part", "a-51+-strip.png", "a-51+.png", "aged.jsonl"]);
}

#[test]
fn a_folder_of_results_alone_is_rejected_for_that_reason() {
    let folder = folder(&["a.png"]);
    age(0, folder.path(), &["a.png", "--to", "51+"]);

    let (_, stderr) = age(1, folder.path(), &["aged", "--to", "51+", "--out", "other"]);

    assert!(
        stderr.contains("no photo in the folder aged: it holds 3 results of earlier commands and nothing else"),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_in_place_of_the_resume_log_is_an_error_without_blocking() {
    let folder = folder(&["a.png"]);
    fs::create_dir(folder.path().join("aged")).unwrap();
    let log = folder.path().join("aged/aged.jsonl");
    assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());

    let (_, stderr) = age(1, folder.path(), &["a.png", "--to", "51+"]);

    assert!(stderr.contains("aged/aged.jsonl is a pipe or a device, where the resume log belongs"), "{stderr}");
    assert!(stderr.contains("--out"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn control_characters_in_file_names_do_not_reach_the_terminal() {
    let folder = folder(&[]);
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("a\u{1b}[2J\nerror: all is lost\u{9b}31m.png"), "no photo").unwrap();

    let (json, stderr) = age(1, folder.path(), &["photos", "--json"]);
    let (_, misused) = age(2, folder.path(), &["--\u{1b}[2J"]);

    assert!(stderr.contains(r"a\u001b[2J\nerror: all is lost\u009b31m.png is a text"), "{stderr}");
    for text in [&json, &stderr, &misused] {
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    }
    let line: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(line["path"], "photos/a\u{1b}[2J\nerror: all is lost\u{9b}31m.png");
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
    let whole = |format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        portrait("grace-hopper.jpg").write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let cut = |format| {
        let bytes: Vec<u8> = whole(format);
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
    let lzw = damaged(include_bytes!("../../ipcgan-data/tests/data/lzw.tif").to_vec());
    let avif = include_bytes!("data/grace-hopper.avif").to_vec();
    // Damage the AV1 header: damage after it only changes pixels.
    let mut headless = avif.clone();
    let data = avif.windows(4).position(|kind| kind == b"mdat").unwrap() + 4;
    headless[data..data + 40].fill(0xff);
    let wall = |side| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        RgbImage::new(side, side).write_to(&mut bytes, Png).unwrap();
        bytes.into_inner()
    };
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
        fs::write(photos.join("i.avif"), include_bytes!("data/grace-hopper.avif")).unwrap();
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
