//! Names of results, and what a later command does with them: resume, replace, keep.

use super::*;

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
