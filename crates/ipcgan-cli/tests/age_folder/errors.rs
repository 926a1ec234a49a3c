//! Names, links, crops and weights that are not as expected.

use super::*;

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
    assert!(stderr.contains("photo.jpg is not an aligned face") && stderr.contains("leave out --aligned"), "{stderr}");
    assert!(!folder.path().join("aged/photo-51+.jpg").exists());
}

#[test]
fn a_photo_that_is_not_upright_is_rejected_with_advice_to_rotate_it() {
    let folder = tempfile::tempdir().unwrap();
    let upright = portrait("grace-hopper.jpg");
    // The detector finds this face upside down too, unless it is small.
    let small = resize(&upright, 96, 112, FilterType::Triangle);
    for (turned, advice) in [
        (rotate270(&upright), "after rotating by 90 degrees clockwise"),
        (rotate90(&upright), "after rotating by 90 degrees counterclockwise"),
        (rotate180(&small), "upside down"),
    ] {
        turned.save(folder.path().join("turned.png")).unwrap();

        let (_, stderr) = age(1, folder.path(), &["turned.png", "--to", "51+"]);

        assert!(stderr.contains(advice), "{advice}: {stderr}");
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
