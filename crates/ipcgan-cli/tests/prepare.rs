//! `ipcgan prepare` on real-world folders with various defects.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use image::imageops::{crop_imm, replace, resize};
use image::{ImageFormat, Rgb, RgbImage};

fn prepare(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).arg("prepare").args(arguments).args(["--device", "cpu"]).output().unwrap()
}

fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

fn portrait(name: &str) -> RgbImage {
    let photos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos");
    image::open(photos.join(name)).unwrap().into_rgb8()
}

fn save(image: &RgbImage, folder: &Path, name: &str) {
    image.save(folder.join(name)).unwrap();
}

/// All files below `folder` with their contents.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    all.insert(path.strip_prefix(folder).unwrap().into(), fs::read(&path).unwrap());
                }
            }
        }
    }
    all
}

/// Writes photos of two people, files without a usable face, and their table, `labels.csv`.
fn write_photos_and_other_files(data: &Path) {
    fs::create_dir_all(data.join("x.jpg")).unwrap();
    let collins = portrait("eileen-collins.jpg");
    save(&collins, data, "collins.jpg");
    save(&resize(&collins, 380, 380, image::imageops::FilterType::Triangle), data, "again.jpg");
    save(&portrait("grace-hopper.jpg"), data, "x.jpg/höpper.jpg");
    // The face is partly outside of the image.
    save(&crop_imm(&collins, 205, 0, collins.width() - 205, collins.height()).to_image(), data, "cut.png");
    save(&RgbImage::from_pixel(300, 300, Rgb([90; 3])), data, "wall.png");
    fs::write(data.join("empty.jpg"), "").unwrap();
    let mut bomb = std::io::Cursor::new(Vec::new());
    RgbImage::new(8, 8).write_to(&mut bomb, ImageFormat::Bmp).unwrap();
    let mut bomb = bomb.into_inner();
    bomb[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    fs::write(data.join("bomb.bmp"), bomb).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(".", data.join("loop")).unwrap();
    let table = "path,Years,who\n\
        collins.jpg,38,\"Collins, \"\"Eileen\"\"\"\n\
        again.jpg,38,Somebody Else\n\
        x.jpg/höpper.jpg,60+,Hopper\n\
        cut.png,38,\"Collins, \"\"Eileen\"\"\"\n\
        wall.png,30,Nobody\n\
        empty.jpg,30,Nobody\n\
        bomb.bmp,30,Nobody\n\
        gone.jpg,30,Nobody\n\
        collins.jpg,5,Nobody\n";
    fs::write(data.join("labels.csv"), table).unwrap();
}

#[test]
fn real_faces_are_detected_aligned_and_split_and_other_files_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    write_photos_and_other_files(&folder.path().join("Data, \"mine\""));

    let columns = ["--column", "file_name=path", "--column", "age=Years", "--column", "identity=who"];
    let arguments = [&["Data, \"mine\"", "--source", "csv", "--out", "out"], &columns[..]].concat();
    let stderr = succeeded(&prepare(folder.path(), &arguments));

    assert!(stderr.contains("is read as csv") && stderr.contains("no face found"), "{stderr}");
    let out = folder.path().join("out");
    let table = fs::read_to_string(out.join("metadata.csv")).unwrap();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows[0], "file_name,age,group,identity,split,gender");
    let split = |name: &str| {
        let row = rows.iter().find(|row| row.contains(name)).unwrap_or_else(|| panic!("no {name} in {table}"));
        row.rsplit(',').nth(1).unwrap()
    };
    // The same photo under two names, so both identities are in one split.
    assert_eq!(split("collins.jpg"), split("again.jpg"));
    assert!(rows.iter().any(|row| row.starts_with("images/x.jpg/höpper.jpg.png,60,4,Hopper,")), "{table}");
    assert!(rows.iter().any(|row| row.contains(",38,2,\"Collins, \"\"Eileen\"\"\",")), "{table}");
    let face = image::open(out.join("images/collins.jpg.png")).unwrap().into_rgb8();
    assert_eq!(face.dimensions(), (128, 128));
    let excluded = fs::read_to_string(out.join("excluded.csv")).unwrap();
    for line in [
        "wall.png,,no face found,no face found",
        "empty.jpg,,unreadable image,",
        "bomb.bmp,,unreadable image,",
        "gone.jpg,9,unreadable image,there is no such file",
        "collins.jpg,10,age outside of all age groups,age 5 is below",
    ] {
        assert!(excluded.contains(line), "no `{line}` in {excluded}");
    }
    #[cfg(unix)]
    assert!(excluded.contains("loop,,broken or circular link,\"is a link back to"), "{excluded}");
    assert!(fs::read_to_string(out.join("duplicates.csv")).unwrap().contains("collins.jpg,again.jpg"));
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("data:image/jpeg;base64,") && !report.contains("<script") && !report.contains("http"));
}

#[test]
fn the_central_one_of_fifty_faces_is_selected() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let [small, large] = [("grace-hopper.jpg", 120), ("eileen-collins.jpg", 420)].map(|(name, width)| {
        let photo = portrait(name);
        let height = photo.height() * width / photo.width();
        resize(&photo, width, height, image::imageops::FilterType::Triangle)
    });
    let mut crowd = RgbImage::new(1200, 1000);
    for index in 0..50 {
        replace(&mut crowd, &small, i64::from(index % 10) * 120, i64::from(index / 10) * 200);
    }
    replace(&mut crowd, &large, 390, 290);
    save(&crowd, &folder.path().join("data"), "40_Eileen_Collins_0001.png");
    save(&large, &folder.path().join("data"), "41_Eileen_Collins_0002.png");

    succeeded(&prepare(folder.path(), &["data", "--out", "out", "--source", "cacd"]));

    // Both show the same large face, so they are duplicates.
    let same = fs::read_to_string(folder.path().join("out/duplicates.csv")).unwrap();
    assert!(same.contains("40_Eileen_Collins_0001.png,41_Eileen_Collins_0002.png"), "{same}");
}

#[test]
fn a_killed_preparation_resumes_to_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--source", "synthetic", "--identities", "40", "--size", "96", "--out"];
    let with_out = |out| [&arguments[..], &[out]].concat();
    succeeded(&prepare(folder.path(), &with_out("whole")));

    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder.path()).arg("prepare").args(with_out("broken")).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let journal = folder.path().join("broken/fingerprints.csv");
    while fs::metadata(&journal).map_or(0, |journal| journal.len()) < 5000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!folder.path().join("broken/metadata.csv").exists());
    succeeded(&prepare(folder.path(), &with_out("broken")));

    assert!(contents(&folder.path().join("whole")) == contents(&folder.path().join("broken")));
}

#[test]
fn unusable_arguments_are_rejected_with_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let error = |arguments: &[&str], code| {
        let output = prepare(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stderr
    };

    assert!(error(&["nowhere", "--out", "out"], 1).contains("there is no folder nowhere"));
    assert!(error(&["data", "--out", "data"], 2).contains("is the data set itself"));
    assert!(error(&["data", "--out", "out"], 1).contains("data holds no images"));
    assert!(error(&["data", "--out", "out", "--source", "vggface"], 2).contains("utkface"));
    assert!(error(&["--out", "out"], 2).contains("FOLDER"));
    assert!(error(&["data", "--out", "out", "--column", "shoe=size"], 2).contains("no column `shoe`"));
    assert!(error(&["data", "--out", "out", "--age-groups", "11,11"], 2).contains("must be increasing"));
    assert!(error(&["data", "--out", "out", "--split", "gone.csv"], 1).contains("gone.csv"));
    assert!(
        error(&["data", "--out", "out", "--valid-fraction", "0.5", "--test-fraction", "0.5"], 2)
            .contains("no identities")
    );
}

/// A folder `data` with these files; files without text are small images, whatever their names.
fn data(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, (name, text)) in files.iter().enumerate() {
        let path = folder.path().join("data").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match text.is_empty() {
            true => {
                let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * y) as u8, (17 * index) as u8, (x * 9) as u8]));
                image.save_with_format(path, ImageFormat::Png).unwrap();
            }
            false => fs::write(path, text).unwrap(),
        }
    }
    folder
}

/// Exit status and standard error of a preparation of aligned faces of 16 pixels.
fn prepare_aligned(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = prepare(folder, &[&["data", "--out", "out", "--size", "16", "--aligned"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
    (output.status.code(), stderr)
}

#[test]
fn an_ambiguous_data_set_is_rejected_with_its_candidates() {
    let names: Vec<String> =
        (1..30).map(|number| format!("{}/{number}.jpg", ["train", "others"][number % 2])).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let folder = data(&files);

    let (code, stderr) = prepare_aligned(folder.path(), &[]);

    assert_eq!(code, Some(1), "{stderr}");
    for part in ["cannot detect the kind of the data set data", "29 images in 2 folders", "identities", "--source"] {
        assert!(stderr.contains(part), "no {part} in {stderr}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn unknown_ages_are_an_error_unless_they_are_allowed() {
    let folder = data(&[("Ann_Lee/Ann_Lee_0001.jpg", ""), ("Bob/Bob_0001.jpg", "")]);

    let (code, stderr) = prepare_aligned(folder.path(), &[]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("the ages of 2 of 2 images are unknown: the folders name people, not ages"), "{stderr}");
    assert!(stderr.contains("--allow-unknown-ages") && !folder.path().join("out").exists(), "{stderr}");

    let (code, stderr) = prepare_aligned(folder.path(), &["--allow-unknown-ages"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stderr.contains("2 identities") && stderr.contains("age stage: not possible, train has no face of"),
        "{stderr}"
    );
}

#[test]
fn tables_of_every_form_and_name_are_read() {
    let table = "\u{feff}Path;Alter;who\r\na.jpg;25,5;Ann\r\nb.jpg;19-Oct;Bob\r\n";
    let utf16: Vec<u8> = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let columns = ["--column", "file_name=Path", "--column", "age=alter", "--column", "identity=who"];
    for (name, contents) in [("labels.TSV", table.replace(';', "\t").into_bytes()), ("labels.txt", utf16)] {
        let folder = data(&[("a.jpg", ""), ("b.jpg", "")]);
        fs::write(folder.path().join(name), contents).unwrap();

        let (code, stderr) = prepare_aligned(folder.path(), &[&["--table", name], &columns[..]].concat());

        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains("warning: 1 row is left out: line 3: age `19-Oct` is a date"), "{stderr}");
        let table = fs::read_to_string(folder.path().join("out/metadata.csv")).unwrap();
        assert!(table.contains("images/a.jpg.png,25,1,Ann,"), "{table}");
    }
}

#[test]
fn a_missing_column_is_rejected_with_the_existing_ones() {
    let folder = data(&[("a.jpg", ""), ("metadata.csv", "file_name,real_age\na.jpg,25\n")]);

    let (code, stderr) = prepare_aligned(folder.path(), &["--column", "age=Years"]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("has no column `Years`; its columns are: file_name, real_age (did you mean `real_age`?)"),
        "{stderr}"
    );
    assert!(stderr.contains("--column age=real_age"), "{stderr}");

    let (code, stderr) = prepare_aligned(folder.path(), &[]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("metadata.csv has no column `age`; did you mean `real_age`?"), "{stderr}");
    assert_eq!(prepare_aligned(folder.path(), &["--column", "age=real_age"]).0, Some(0));
}

#[test]
fn options_without_effect_are_rejected() {
    let folder = data(&[("14_Ann_Lee_0001.jpg", ""), ("25_Bob_0001.jpg", ""), ("labels.csv", "file_name\n")]);
    let synthetic = ["--out", "out", "--source", "synthetic", "--size", "16"];
    let refused = |arguments: &[&str]| {
        let output = prepare(folder.path(), arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        stderr
    };

    for option in [
        &["--table", "data/labels.csv"][..],
        &["--column", "age=Years"],
        &["--split", "list.csv"],
        &["--aligned"],
        &["--min-face", "32"],
        &["--allow-unknown-ages"],
    ] {
        assert!(
            refused(&[&synthetic[..], option].concat()).contains("has no effect with --source synthetic"),
            "{option:?}"
        );
    }
    let data = ["data", "--out", "out"];
    assert!(refused(&[&data[..], &["--identities", "3"]].concat()).contains("only with --source synthetic"));
    assert!(refused(&[&data[..], &["--aligned", "--min-face", "32"]].concat()).contains("--min-face"));
    let cacd = refused(&[&data[..], &["--source", "cacd", "--column", "age=Years"]].concat());
    assert!(cacd.contains("--column has no effect with --source cacd; it is used with csv"), "{cacd}");
    let fgnet = refused(&[&data[..], &["--source", "fgnet", "--table", "data/labels.csv"]].concat());
    assert!(fgnet.contains("--table has no effect with --source fgnet; it is used with csv, cacd"), "{fgnet}");
    let twice = ["--source", "csv", "--column", "age=A", "--column", "age=B"];
    assert!(refused(&[&data[..], &twice].concat()).contains("is `A` already"));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_failed_command_does_not_block_the_corrected_one() {
    let folder = data(&[("14_Ann_Lee_0001.jpg", ""), ("25_Bob_0001.jpg", "")]);
    fs::create_dir(folder.path().join("empty")).unwrap();

    let output = prepare(folder.path(), &["empty", "--out", "out"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!folder.path().join("out").exists());
    // No face is found in any of them.
    let output = prepare(folder.path(), &["data", "--out", "out", "--size", "32"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!folder.path().join("out").exists());

    let (code, stderr) = prepare_aligned(folder.path(), &[]);
    assert_eq!(code, Some(0), "{stderr}");

    let output = prepare(folder.path(), &["data", "--out", "out", "--size", "32"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("aligned was true and is false now") && stderr.contains("size was 16 and is 32 now"),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn all_skipped_files_are_counted_and_reported() {
    use std::os::unix::fs::symlink;
    let folder = data(&[
        ("14_Ann_Lee_0001.jpg", ""),
        ("25_Bob_0001.jfif", ""),
        ("26_Bob_0002.cr2", "raw"),
        (".27_Bob_0003.jpg", ""),
    ]);
    symlink("nowhere", folder.path().join("data/30_Cem_0001.jpg")).unwrap();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::copy(folder.path().join("data/25_Bob_0001.jfif"), folder.path().join("more/33_Dan_0001.jpg")).unwrap();
    symlink("../more", folder.path().join("data/more")).unwrap();

    let (code, stderr) = prepare_aligned(folder.path(), &[]);

    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("3 faces; 3 images left out"), "{stderr}");
    for cause in
        ["1  unreadable image, such as 26_Bob_0002.cr2", "1  broken or circular link", "1  hidden file or folder"]
    {
        assert!(stderr.contains(cause), "no {cause} in {stderr}");
    }
    // A second preparation inside the data set does not read the first one.
    let inside = |out| prepare(folder.path(), &["data", "--out", out, "--size", "16", "--aligned"]);
    succeeded(&inside("data/first"));
    let stderr = succeeded(&inside("data/second"));
    assert!(
        stderr.contains("is read as cacd") && stderr.contains("1  prepared faces, not photos, such as first"),
        "{stderr}"
    );
}

#[test]
fn another_data_set_with_the_same_file_names_is_not_mixed_with_the_first_one() {
    let folder = data(&[("14_Ann_Lee_0001.jpg", ""), ("25_Bob_0001.jpg", "")]);
    fs::create_dir(folder.path().join("second")).unwrap();
    for name in ["14_Ann_Lee_0001.jpg", "25_Bob_0001.jpg"] {
        let image = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 9) as u8, (y * y) as u8, name.len() as u8]));
        image.save_with_format(folder.path().join("second").join(name), ImageFormat::Png).unwrap();
    }
    let (code, stderr) = prepare_aligned(folder.path(), &[]);
    assert_eq!(code, Some(0), "{stderr}");
    let before = contents(&folder.path().join("out"));

    let output = prepare(folder.path(), &["second", "--out", "out", "--size", "16", "--aligned"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("out holds 2 faces, of which this data set has 0"), "{stderr}");
    assert!(contents(&folder.path().join("out")) == before);

    // The first preparation can be resumed after the data set was moved.
    fs::rename(folder.path().join("data"), folder.path().join("moved")).unwrap();
    succeeded(&prepare(folder.path(), &["moved", "--out", "out", "--size", "16", "--aligned"]));
    assert!(contents(&folder.path().join("out")) == before);
}

#[test]
fn spaces_in_a_list_of_ages_do_not_matter() {
    let folder = data(&[("14_Ann_Lee_0001.jpg", ""), ("25_Bob_0001.jpg", "")]);

    let (code, stderr) = prepare_aligned(folder.path(), &["--age-groups", " 11, 21 ,31"]);

    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("11-20") && stderr.contains("21-30") && stderr.contains("31+"), "{stderr}");
}
