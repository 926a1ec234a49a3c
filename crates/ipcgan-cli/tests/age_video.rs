//! `ipcgan age` on video files, which ffmpeg makes here from photos.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod age_command;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use image::RgbImage;
use serde_json::Value;
use tempfile::TempDir;

use age_command::{age, asset, ended, ipcgan};

/// Whether ffmpeg is installed; a test without it says that it checks nothing, past the capture of test output.
fn has_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok_and(|output| output.status.success());
    if !found {
        drop(std::io::stderr().write_all(b"skipped: ffmpeg is not installed, so that videos are not tested\n"));
    }
    found
}

/// Runs ffmpeg in `folder`; whether it succeeds.
fn try_ffmpeg(folder: &Path, arguments: &[&str]) -> bool {
    let all = ["-nostdin", "-v", "error", "-y"].iter().chain(arguments);
    Command::new("ffmpeg").current_dir(folder).args(all).output().unwrap().status.success()
}

fn ffmpeg(folder: &Path, arguments: &[&str]) {
    assert!(try_ffmpeg(folder, arguments), "{arguments:?}");
}

/// A clip of `frames` frames of a portrait with noise, and a tone, in the file `name`.
fn clip(folder: &Path, name: &str, frames: u32, options: &[&str]) {
    let photo = asset("grace-hopper.jpg");
    let picture = ["-loop", "1", "-framerate", "24", "-i", photo.to_str().unwrap()];
    let tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];
    let seconds = format!("{}", f64::from(frames) / 24.0);
    let filter = "scale=240:280,setsar=1,noise=alls=6:allf=t:all_seed=1,format=yuv420p";
    ffmpeg(folder, &[&picture[..], &tone, &["-vf", filter, "-t", &seconds], options, &[name]].concat());
}

fn folder_with(name: &str, frames: u32, options: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    clip(folder.path(), name, frames, options);
    folder
}

const H264: [&str; 4] = ["-c:v", "libx264", "-c:a", "aac"];

/// What ffprobe says of a stream (`v:0`, `a:0`).
fn stream(path: &Path, which: &str) -> Value {
    let probe = ["-v", "error", "-count_frames", "-of", "json", "-show_streams", "-select_streams", which];
    let output = Command::new("ffprobe").args(probe).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all["streams"][0].clone()
}

/// A frame of a clip, as it is shown.
fn frame(path: &Path, number: u32) -> RgbImage {
    let folder = tempfile::tempdir().unwrap();
    let select = format!("select=eq(n\\,{number})");
    ffmpeg(folder.path(), &["-i", path.to_str().unwrap(), "-vf", &select, "-frames:v", "1", "frame.png"]);
    image::open(folder.path().join("frame.png")).unwrap().into_rgb8()
}

/// Mean absolute difference of the rows `rows`.
fn difference(one: &RgbImage, other: &RgbImage, rows: std::ops::Range<u32>) -> f64 {
    let pixels = rows.flat_map(|y| (0..one.width()).map(move |x| (x, y)));
    let differences = pixels
        .flat_map(|(x, y)| (0..3).map(move |channel| (x, y, channel)))
        .map(|(x, y, channel)| f64::from(one.get_pixel(x, y)[channel].abs_diff(other.get_pixel(x, y)[channel])));
    let all: Vec<f64> = differences.collect();
    all.iter().sum::<f64>() / all.len() as f64
}

fn files_of(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_clip_is_aged_at_each_age_with_its_frames_rate_and_sound() {
    if !has_ffmpeg() {
        return;
    }
    let folder = folder_with("clip.mp4", 12, &H264);
    let source = folder.path().join("clip.mp4");
    let before = fs::read(&source).unwrap();

    let (results, stderr) = age(0, folder.path(), &["clip.mp4", "--to", "60,15"]);

    assert_eq!(results, "aged/clip-60.mp4\naged/clip-15.mp4\n");
    assert!(stderr.contains("faces: 1, frames: 12"), "{stderr}");
    assert_eq!(files_of(&folder.path().join("aged")), ["aged.jsonl", "clip-15.mp4", "clip-60.mp4"]);
    assert_eq!(fs::read(&source).unwrap(), before);
    let aged = folder.path().join("aged/clip-60.mp4");
    let video = stream(&aged, "v:0");
    assert_eq!((&video["nb_read_frames"], &video["r_frame_rate"]), (&"12".into(), &"24/1".into()));
    assert_eq!(stream(&aged, "a:0")["nb_read_frames"], stream(&source, "a:0")["nb_read_frames"]);
    let [source, old, young] =
        ["clip.mp4", "aged/clip-60.mp4", "aged/clip-15.mp4"].map(|file| frame(&folder.path().join(file), 6));
    // Encoding changes noise by a level or two; the face is below the cap.
    assert!(difference(&source, &old, 0..20) < 3.0, "{}", difference(&source, &old, 0..20));
    assert!(difference(&old, &young, 80..160) > 2.0 * difference(&old, &young, 0..20));
}

#[test]
fn a_clip_that_is_aged_again_replaces_its_own_results_alone() {
    if !has_ffmpeg() {
        return;
    }
    let name = "-odd $(touch x) 'name'%d.mp4";
    let folder = folder_with("clip.mp4", 3, &H264);
    fs::rename(folder.path().join("clip.mp4"), folder.path().join(name)).unwrap();
    let first = "-odd $(touch x) 'name'%d-51+.mp4";
    fs::write(folder.path().join(first), "mine").unwrap();
    let source = fs::read(folder.path().join(name)).unwrap();
    let arguments = ["--to", "51+", "--out", ".", "--", name];

    let (results, stderr) = age(0, folder.path(), &arguments);
    assert_eq!(results, "./-odd $(touch x) 'name'%d-2-51+.mp4\n", "{stderr}");
    let (again, stderr) = age(0, folder.path(), &arguments);

    assert_eq!(again, results);
    assert!(stderr.contains("1 result of an earlier command was replaced"), "{stderr}");
    assert_eq!(fs::read_to_string(folder.path().join(first)).unwrap(), "mine");
    assert_eq!(fs::read(folder.path().join(name)).unwrap(), source);
    assert_eq!(files_of(folder.path()).len(), 4, "{:?}", files_of(folder.path()));
}

#[test]
fn each_container_keeps_its_sound_as_it_is_or_in_a_codec_that_it_holds() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, options, result, video, audio) in [
        ("a.mov", ["-c:v", "libx264", "-c:a", "pcm_s16le"], "a-51+.mov", "h264", "pcm_s16le"),
        ("b.webm", ["-c:v", "libvpx-vp9", "-c:a", "libopus"], "b-51+.webm", "vp9", "opus"),
        ("c.mkv", ["-c:v", "libx264", "-c:a", "flac"], "c-51+.mkv", "h264", "flac"),
        ("d.avi", ["-c:v", "mpeg4", "-c:a", "ac3"], "d-51+.avi", "mpeg4", "ac3"),
        ("e.flv", ["-c:v", "flv", "-c:a", "adpcm_swf"], "e-51+.mkv", "h264", "aac"),
    ] {
        let rate = if name == "e.flv" { ["-ar", "44100"].as_slice() } else { &[] };
        clip(folder.path(), name, 4, &[&options[..], rate].concat());

        let (results, _) = age(0, folder.path(), &[name, "--to", "51+"]);

        assert_eq!(results, format!("aged/{result}\n"));
        let path = folder.path().join("aged").join(result);
        assert_eq!(stream(&path, "v:0")["codec_name"], video, "{name}");
        assert_eq!(stream(&path, "v:0")["nb_read_frames"], "4", "{name}");
        assert_eq!(stream(&path, "a:0")["codec_name"], audio, "{name}");
    }
}

#[test]
fn a_clip_that_is_stored_on_its_side_is_aged_upright() {
    if !has_ffmpeg() {
        return;
    }
    let folder = folder_with("upright.mp4", 3, &H264);
    // Stored with a quarter turn, and a rotation that undoes it.
    ffmpeg(folder.path(), &["-i", "upright.mp4", "-vf", "transpose=clock", "side.mp4"]);
    let as_metadata = ["-i", "side.mp4", "-c", "copy", "-metadata:s:v:0", "rotate=90", "clip.mp4"];
    let as_option = ["-display_rotation", "90", "-i", "side.mp4", "-c", "copy", "clip.mp4"];
    assert!(try_ffmpeg(folder.path(), &as_option) || try_ffmpeg(folder.path(), &as_metadata));
    assert_eq!(stream(&folder.path().join("clip.mp4"), "v:0")["width"], 280);

    let (json, _) = age(0, folder.path(), &["clip.mp4", "--to", "51+", "--json"]);

    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["width"], &json["height"], &json["faces"]), (&240.into(), &280.into(), &1.into()));
    let aged = folder.path().join("aged/clip-51+.mp4");
    assert_eq!((&stream(&aged, "v:0")["width"], &stream(&aged, "v:0")["height"]), (&240.into(), &280.into()));
    assert!(difference(&frame(&aged, 1), &frame(&folder.path().join("upright.mp4"), 1), 0..20) < 6.0);
}

#[test]
fn a_variable_frame_rate_keeps_the_duration_and_pixels_keep_their_aspect() {
    if !has_ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    clip(folder.path(), "even.mkv", 24, &H264);
    // The second half has a third of the frames, and pixels are wider than high.
    let filter = "select=lt(n\\,12)+not(mod(n\\,3)),setsar=64/45";
    ffmpeg(folder.path(), &["-i", "even.mkv", "-vf", filter, "-vsync", "vfr", "-c:a", "copy", "clip.mkv"]);
    assert_eq!(stream(&folder.path().join("clip.mkv"), "v:0")["nb_read_frames"], "16");

    let (results, stderr) = age(0, folder.path(), &["clip.mkv", "--to", "51+", "--json"]);

    assert!(stderr.contains("clip.mkv: the frame rate varies"), "{stderr}");
    let json: Value = serde_json::from_str(&results).unwrap();
    assert_eq!(json["frame_rate"], "24/1");
    let frames = json["frames"].as_u64().unwrap();
    // The last frame lasts as long as the muxer says.
    assert!((22..=24).contains(&frames), "{frames}");
    let aged = stream(&folder.path().join("aged/clip-51+.mkv"), "v:0");
    assert_eq!(aged["sample_aspect_ratio"], "64:45");
}

#[test]
fn a_file_that_is_no_usable_clip_is_an_error_that_names_it_and_leaves_nothing() {
    if !has_ffmpeg() {
        return;
    }
    let folder = folder_with("whole.mp4", 12, &H264);
    let path = |name: &str| folder.path().join(name);
    let whole = fs::read(path("whole.mp4")).unwrap();
    fs::write(path("empty.mp4"), "").unwrap();
    fs::write(path("text.mov"), "no video").unwrap();
    fs::write(path("cut.mp4"), &whole[..whole.len() / 2]).unwrap();
    fs::write(path("playlist.mp4"), "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nwhole.mp4\n#EXT-X-ENDLIST\n")
        .unwrap();
    fs::copy(asset("grace-hopper.jpg"), path("photo.avi")).unwrap();
    fs::create_dir(path("folder.mp4")).unwrap();
    ffmpeg(folder.path(), &["-i", "whole.mp4", "-vn", "-c:a", "copy", "song.mp4"]);
    ffmpeg(folder.path(), &["-f", "lavfi", "-i", "color=gray:size=64x64:duration=0.2", "wall.mkv"]);
    ffmpeg(
        folder.path(),
        &["-f", "lavfi", "-i", "color=gray:size=8192x6144:duration=0.01", "-c:v", "ffv1", "huge.mkv"],
    );

    for (name, reason) in [
        ("empty.mp4", "is an empty file"),
        ("text.mov", "is not a readable video"),
        ("cut.mp4", "moov atom not found"),
        ("playlist.mp4", "ffmpeg recognises it as hls"),
        ("photo.avi", "is not a video of a supported format"),
        ("folder.mp4", "no photo in the folder"),
        ("none.webm", "cannot read none.webm"),
        ("song.mp4", "has no video stream: it holds only audio"),
        ("wall.mkv", "no face found in any frame"),
        ("huge.mkv", "8192 x 6144 pixels"),
    ] {
        let (results, stderr) = age(1, folder.path(), &[name, "--to", "51+"]);
        assert!(stderr.contains(name) && stderr.contains(reason), "{name}: {stderr}");
        assert_eq!(results, "", "{name}");
    }
    assert!(!path("aged").exists() || files_of(&path("aged")).is_empty());
}

#[test]
fn a_clip_that_is_cut_short_is_aged_as_far_as_it_goes_with_a_warning() {
    if !has_ffmpeg() {
        return;
    }
    let options = [&H264[..], &["-movflags", "+faststart", "-g", "4", "-bf", "0"]].concat();
    let folder = folder_with("clip.mp4", 24, &options);
    let path = folder.path().join("clip.mp4");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() * 2 / 3]).unwrap();

    let (results, stderr) = age(0, folder.path(), &["clip.mp4", "--to", "51+"]);

    assert_eq!(results, "aged/clip-51+.mp4\n");
    assert!(stderr.contains("clip.mp4 is cut short or damaged") && stderr.contains("ffmpeg: "), "{stderr}");
}

#[test]
fn without_ffmpeg_the_error_says_what_to_install_and_photos_are_still_aged() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clip.mp4"), b"\0\0\0\x20ftypisom").unwrap();
    fs::copy(asset("grace-hopper-face.png"), folder.path().join("face.png")).unwrap();

    let command = |arguments: &[&str]| ipcgan(folder.path(), arguments).env("PATH", folder.path()).output().unwrap();
    let (_, stderr) = ended(1, &command(&["clip.mp4"]));
    assert!(stderr.contains("error: ") && stderr.contains("apt install ffmpeg"), "{stderr}");
    let (results, stderr) = ended(1, &command(&["clip.mp4", "face.png", "--to", "51+"]));

    assert!(results.starts_with("aged/face-51+.png\n"), "{results}{stderr}");
    assert!(stderr.contains("photos aged: 1, failed: 1"), "{stderr}");
}

#[test]
fn options_for_photos_alone_are_misused_with_a_clip() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clip.mp4"), "no video").unwrap();

    for option in [&["--crops"][..], &["--aligned"], &["--animate"], &["--video"], &["--format", "png"]] {
        let (_, stderr) = age(2, folder.path(), &[&["clip.mp4"], option].concat());
        assert!(stderr.contains("clip.mp4 is a video: leave out ") && stderr.contains(option[0]), "{stderr}");
    }
}

#[test]
fn a_video_with_the_name_of_a_photo_or_on_standard_input_is_rejected_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("renamed.jpg"), b"\0\0\0\x20ftypmp42").unwrap();

    let (_, stderr) = age(1, folder.path(), &["renamed.jpg"]);
    assert!(stderr.contains("renamed.jpg is a video, not a photo") && stderr.contains(".mp4"), "{stderr}");
    let file = fs::File::open(folder.path().join("renamed.jpg")).unwrap();
    let (_, stderr) = ended(1, &ipcgan(folder.path(), &["-"]).stdin(file).output().unwrap());
    assert!(stderr.contains("standard input is a video"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_frames_aged_so_far_as_a_playable_partial_result() {
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    const PATIENCE: Duration = Duration::from_secs(120);

    if !has_ffmpeg() {
        return;
    }
    // Long enough not to end before the signal.
    let folder = folder_with("clip.mp4", 240, &H264);
    fs::copy(folder.path().join("clip.mp4"), folder.path().join("next.mp4")).unwrap();
    let mut command = ipcgan(folder.path(), &["clip.mp4", "next.mp4", "--to", "51+", "--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let aged = folder.path().join("aged");
    let start = Instant::now();
    // A temporary file that is not empty is that of an encoder which has frames.
    let has_begun = || {
        let files = fs::read_dir(&aged).into_iter().flatten().flatten();
        files.map(|file| file.metadata().map_or(0, |file| file.len())).sum::<u64>() > 0
    };
    while !has_begun() {
        assert!(start.elapsed() < PATIENCE, "nothing is encoded");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());

    let (results, stderr) = ended(130, &child.wait_with_output().unwrap());

    let results: Vec<Value> = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [clip, summary] = &results[..] else { panic!("{results:?}") };
    assert_eq!(clip["files"], serde_json::json!(["aged/clip-51+-partial.mp4"]));
    assert!(clip["interrupted_after"].as_f64().is_some_and(|seconds| seconds > 0.0), "{clip}");
    assert_eq!((&summary["summary"]["aged"], &summary["summary"]["failed"]), (&0.into(), &0.into()));
    assert!(stderr.contains("kept aged/clip-51+-partial.mp4"), "{stderr}");
    assert_eq!(files_of(&aged), ["aged.jsonl", "clip-51+-partial.mp4"]);
    let partial = aged.join("clip-51+-partial.mp4");
    let frames: usize = stream(&partial, "v:0")["nb_read_frames"].as_str().unwrap().parse().unwrap();
    assert!((1..240).contains(&frames), "{frames}");
    let seconds = |which| stream(&partial, which)["duration"].as_str().unwrap().parse::<f64>().unwrap();
    assert!((seconds("v:0") - seconds("a:0")).abs() < 0.1, "{} {}", seconds("v:0"), seconds("a:0"));
}
