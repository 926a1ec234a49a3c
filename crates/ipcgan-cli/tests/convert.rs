//! `ipcgan convert`: round trips between file formats.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets");
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference");

fn convert(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).arg("convert").args(arguments).output().unwrap()
}

/// Header and values of a safetensors file.
fn parts(file: &[u8]) -> (serde_json::Value, &[u8]) {
    let (length, rest) = file.split_at(8);
    let (header, numbers) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    (serde_json::from_slice(header).unwrap(), numbers)
}

#[test]
fn weights_in_half_precision_survive_a_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    let steps: [&[&str]; 3] = [&[&embedded, "full.st"], &["full.st", "half.st", "--half"], &["half.st", "back.st"]];

    for arguments in steps {
        let output = convert(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    // The embedded weights have half precision, so the conversion is lossless.
    let [full, half, back] = ["full.st", "half.st", "back.st"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(parts(&full) == parts(&back), "weights or metadata are others");
    assert!(half.len() < full.len() * 52 / 100, "{} of {}", half.len(), full.len());
}

#[test]
fn doubling_the_strength_changes_a_generator_and_halving_it_restores_it() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    let steps: [&[&str]; 3] = [
        &[&embedded, "once.st"],
        &["once.st", "twice.st", "--strength", "2"],
        &["twice.st", "again.st", "--strength", "0.5"],
    ];

    for arguments in steps {
        let output = convert(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    let [once, twice, again] =
        ["once.st", "twice.st", "again.st"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(parts(&once) == parts(&again));
    assert!(parts(&once) != parts(&twice));
}

#[test]
fn a_generator_is_converted_to_onnx_by_extension_and_not_in_half_precision() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");

    let output = convert(folder.path(), &[&embedded, "generator.onnx"]);

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = fs::read(folder.path().join("generator.onnx")).unwrap();
    let has = |text: &str| file.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    assert!(has("ConvTranspose") && has("group_weights") && has("11-20 21-30 31-40 41-50 51+"));
    let half = convert(folder.path(), &[&embedded, "half.onnx", "--half"]);
    assert!(String::from_utf8_lossy(&half.stderr).contains("leave out --half"));
    assert!(!folder.path().join("half.onnx").exists());
}

#[test]
fn conversion_to_every_format_and_back_is_lossless() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    // Not representable in half precision, so all bits matter.
    assert!(convert(folder.path(), &[&embedded, "whole.st", "--strength", "1.1"]).status.success());
    let whole = fs::read(folder.path().join("whole.st")).unwrap();

    for name in ["weights.pth", "weights.bpk", "weights.pt"] {
        for arguments in [["whole.st", name], [name, "back.st"]] {
            let output = convert(folder.path(), &arguments);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }

        let back = fs::read(folder.path().join("back.st")).unwrap();
        assert!(parts(&whole) == parts(&back), "{name}: weights or metadata are others");
        let half = format!("half-{name}");
        assert!(convert(folder.path(), &[name, &half, "--half"]).status.success());
        let size = |name: &str| fs::metadata(folder.path().join(name)).unwrap().len();
        assert!(size(&half) < size(name) * 6 / 10, "{half}: {} of {}", size(&half), size(name));
        assert!(convert(folder.path(), &[&half, "back.st"]).status.success());
    }
}

#[test]
fn equal_weights_give_equal_bytes_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");

    for name in ["weights.st", "weights.pth", "weights.bpk", "weights.onnx"] {
        let written = [0, 1].map(|_| {
            assert!(convert(folder.path(), &[&embedded, name]).status.success());
            fs::read(folder.path().join(name)).unwrap()
        });

        assert!(written[0] == written[1], "{name} differs");
    }
}

#[test]
fn weights_with_an_unknown_tensor_are_rejected_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let ours = format!("{REFERENCE}/pytorch_generator.safetensors");
    // The config declares one residual block instead of two, so the tensors of the second are unknown.
    let more = fs::read(&ours).unwrap();
    let (header, _) = parts(&more);
    let text = header.to_string().replace(r#"\"residual_blocks\": 2"#, r#"\"residual_blocks\": 1"#);
    let length = u64::from_le_bytes(more[..8].try_into().unwrap()) as usize;
    let file = [&(text.len() as u64).to_le_bytes()[..], text.as_bytes(), &more[8 + length..]].concat();
    fs::write(folder.path().join("more.st"), file).unwrap();
    let theirs = format!("{REFERENCE}/pytorch_generator.pth");

    for arguments in [&["more.st", "out.st"][..], &[&theirs, "out.st", "--metadata-from", "more.st"]] {
        let output = convert(folder.path(), arguments);

        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("tensors are unknown: residual.1."), "{stderr}");
        assert!(!stderr.contains('│') && !folder.path().join("out.st").exists(), "{stderr}");
    }
}

#[test]
fn weights_saved_by_pytorch_take_their_metadata_from_our_weights() {
    let folder = tempfile::tempdir().unwrap();
    let ours = format!("{REFERENCE}/pytorch_generator.safetensors");
    assert!(convert(folder.path(), &[&ours, "ours.st"]).status.success());
    let expected = fs::read(folder.path().join("ours.st")).unwrap();

    for theirs in ["pytorch_generator.pth", "pytorch_generator.old.pth"] {
        let theirs = format!("{REFERENCE}/{theirs}");
        let output = convert(folder.path(), &[&theirs, "theirs.st", "--metadata-from", &ours]);

        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = fs::read(folder.path().join("theirs.st")).unwrap();
        assert!(parts(&found) == parts(&expected), "{theirs}");
        let alone = convert(folder.path(), &[&theirs, "alone.st"]);
        let stderr = String::from_utf8_lossy(&alone.stderr).into_owned();
        assert!(stderr.contains("`network` is missing") && stderr.contains("--metadata-from"), "{stderr}");
    }
}

#[test]
fn truncated_or_changed_files_of_every_format_are_rejected_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    for name in ["cut.pth", "cut.bpk", "cut.st"] {
        assert!(convert(folder.path(), &[&embedded, name]).status.success());
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();

        for length in [0, 3, 40, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let output = convert(folder.path(), &[name, "out.st"]);

            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{name} of {length} bytes: {stderr}");
            assert!(stderr.contains(name) && !stderr.contains("panicked"), "{stderr}");
        }
    }
}

#[cfg(unix)]
#[test]
fn weights_are_read_from_a_pipe_except_for_pytorchs_format() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = format!("{ASSETS}/weights/generator.safetensors");
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for name in ["whole.st", "whole.bpk", "whole.pth"] {
        assert!(convert(folder.path(), &[&embedded, name]).status.success());
    }
    let through_pipe = |name: &str| {
        let bytes = fs::read(folder.path().join(name)).unwrap();
        let pipe = pipe.clone();
        // The reader may close the pipe before its end.
        let writer = std::thread::spawn(move || fs::write(pipe, bytes).err());
        let output = convert(folder.path(), &["pipe", "out.st"]);
        writer.join().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };

    let [safetensors, burnpack, pytorch] = ["whole.st", "whole.bpk", "whole.pth"].map(through_pipe);

    assert_eq!((safetensors.0, burnpack.0), (Some(0), Some(0)), "{} {}", safetensors.1, burnpack.1);
    assert_eq!(pytorch.0, Some(1));
    assert!(pytorch.1.contains("pipe") && pytorch.1.contains("save it as a regular file"), "{}", pytorch.1);
}

#[test]
fn foreign_networks_are_rejected_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let other = format!("{ASSETS}/judges/age_estimator.safetensors");

    let output = convert(folder.path(), &[&other, "out.st"]);

    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("age_estimator.safetensors") && stderr.contains("not a weights file of this program"),
        "{stderr}"
    );
    assert!(!folder.path().join("out.st").exists());
}
