//! Files of every format, damaged ones, and files that are no photos.

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
