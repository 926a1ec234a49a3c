//! Training runs of `ipcgan train` that stop and resume, and the contents of their checkpoints.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod small_run;

use std::fs;
use std::path::Path;
use std::process::Command;

use small_run::{
    assert_same_networks, recorded, remove_end_of_gan, resumed, small_run, succeeded, text, trained, weights,
};

#[test]
fn a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(trained(folder.path(), &["--run", "uninterrupted", "--set", "aging.steps=6"]));

    let first = ["--run", "resumed", "--set", "aging.steps=6", "--set", "checkpoint_every=3"];
    succeeded(trained(folder.path(), &first));
    remove_end_of_gan(&folder.path().join("resumed"), 6);
    succeeded(resumed(folder.path(), &["--run", "resumed"]));

    assert_same_networks(folder.path(), "uninterrupted", "resumed");
}

#[test]
fn a_damaged_checkpoint_is_reported_and_the_one_before_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let first = ["--run", "resumed", "--set", "aging.steps=6", "--set", "checkpoint_every=3"];
    succeeded(trained(folder.path(), &first));
    let run = folder.path().join("resumed");
    let [generator, uninterrupted] =
        [run.join("weights/generator.safetensors"), folder.path().join("uninterrupted/weights")];
    fs::create_dir_all(&uninterrupted).unwrap();
    for name in ["alexnet", "generator", "discriminator"] {
        let file = format!("{name}.safetensors");
        fs::copy(run.join("weights").join(&file), uninterrupted.join(&file)).unwrap();
    }
    fs::remove_file(&generator).unwrap();
    fs::remove_file(run.join("log/aging/summary.json")).unwrap();
    let model = run.join("checkpoints/aging/000006/model.bpk");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();

    let (_, report) = succeeded(resumed(folder.path(), &["--run", "resumed"]));

    assert!(report.contains("000006: model.bpk is damaged") && report.contains("resuming from step 3"), "{report}");
    assert_same_networks(folder.path(), "uninterrupted", "resumed");
}

#[test]
fn a_crash_after_the_last_checkpoint_loses_no_weights() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(trained(folder.path(), &["--set", "aging.steps=2"]));
    let before = ["alexnet", "generator", "discriminator"].map(|network| weights(folder.path(), "run", network));
    for file in ["weights/generator.safetensors", "weights/discriminator.safetensors", "log/aging/summary.json"] {
        fs::remove_file(folder.path().join("run").join(file)).unwrap();
    }

    succeeded(resumed(folder.path(), &[]));

    let after = ["alexnet", "generator", "discriminator"].map(|network| weights(folder.path(), "run", network));
    assert!(before == after);
    let summary = fs::read(folder.path().join("run/log/age/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["steps"], 4);
    assert!(summary["held_out"]["within one group"].is_number(), "{summary}");
}

#[test]
fn a_run_resumes_only_with_its_own_settings_and_data() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(trained(folder.path(), &["--set", "aging.steps=2"]));

    let longer = resumed(folder.path(), &["--set", "aging.steps=3"]);
    succeeded(longer);
    assert!(folder.path().join("run/checkpoints/aging/000003").exists());

    let other = resumed(folder.path(), &["--preset", "compact"]);
    assert!(text(&other.stderr).contains("was started with --preset tiny"), "{}", text(&other.stderr));

    let fewer = resumed(folder.path(), &["--set", "aging.steps=4", "--set", "synthetic.identities=11"]);
    assert!(text(&fewer.stderr).contains("training faces and now there are"), "{}", text(&fewer.stderr));
}

#[test]
fn a_resumed_run_with_ema_ends_with_the_weights_of_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "--set",
        "aging.ema_decay=0.9",
        "--set",
        "aging.recalibration_batches=2",
        "--set",
        "aging.gradient_accumulation=2",
        "--set",
        "aging.discriminator_updates=2",
        "--set",
        "aging.schedule=linear",
        "--set",
        "aging.warm_up=2",
        "--set",
        "aging.gradient_clip_norm=10",
        "--set",
        "aging.window_shifts=3",
        "--set",
        "trunk_age_weight=1",
        "--set",
        "checkpoint_every=3",
        "--set",
        "validations=2",
    ];
    let extra = |run: &'static str| [&["--run", run, "--set", "aging.steps=6"][..], &settings].concat();
    succeeded(trained(folder.path(), &extra("uninterrupted")));
    succeeded(trained(folder.path(), &extra("resumed")));
    remove_end_of_gan(&folder.path().join("resumed"), 6);

    succeeded(resumed(folder.path(), &["--run", "resumed"]));

    assert_same_networks(folder.path(), "uninterrupted", "resumed");
    let losses = |run| -> Vec<_> {
        let steps = recorded(folder.path(), run, "aging/train.jsonl");
        steps.iter().map(|step| (step["step"].as_u64(), step["adversarial"].as_f64())).collect()
    };
    assert_eq!(losses("uninterrupted").len(), 6);
    assert_eq!(losses("uninterrupted"), losses("resumed"));
    // Without EMA, the generator differs and the discriminator does not.
    let plain = ["--run", "plain", "--set", "aging.steps=6", "--set", "aging.ema_decay=0"];
    let plain = [&plain[..], &["--set", "aging.recalibration_batches=0"], &settings[4..]].concat();
    succeeded(trained(folder.path(), &plain));
    assert!(weights(folder.path(), "plain", "generator") != weights(folder.path(), "resumed", "generator"));
    assert!(weights(folder.path(), "plain", "discriminator") == weights(folder.path(), "resumed", "discriminator"));
}

#[test]
fn gradients_that_overflow_in_float16_lower_the_loss_scale_which_a_resumed_run_keeps() {
    let folder = tempfile::tempdir().unwrap();
    // An age loss whose gradients overflow float16.
    let float16 = ["precision=float16", "aging.weights.age=3000", "checkpoint_every=3", "aging.steps=6"];
    let float16: Vec<&str> = float16.into_iter().flat_map(|setting| ["--set", setting]).collect();
    let settings = |run: &'static str| [&["--run", run], &float16[..]].concat();
    succeeded(trained(folder.path(), &settings("uninterrupted")));
    succeeded(trained(folder.path(), &settings("resumed")));
    remove_end_of_gan(&folder.path().join("resumed"), 6);

    succeeded(resumed(folder.path(), &["--run", "resumed"]));

    assert_same_networks(folder.path(), "uninterrupted", "resumed");
    let scales = |run| -> Vec<f64> {
        let steps = recorded(folder.path(), run, "aging/train.jsonl");
        steps.iter().map(|step| step["loss scale"].as_f64().unwrap()).collect()
    };
    assert_eq!(scales("uninterrupted"), scales("resumed"));
    // A step updates each network once, so at most two updates overflow.
    assert_eq!(scales("resumed")[0], 512.0);
    assert!(scales("resumed")[2] < 512.0, "{:?}", scales("resumed"));
}

#[test]
fn a_checkpoint_gives_the_weights_that_the_stage_would_have_saved() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["aging.steps=4", "aging.ema_decay=0.9", "aging.recalibration_batches=2", "validations=2"];
    let settings: Vec<&str> = settings.into_iter().flat_map(|setting| ["--set", setting]).collect();
    succeeded(trained(folder.path(), &settings));
    let run = folder.path().join("run");
    let saved = weights(folder.path(), "run", "generator");
    let ipcgan = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder.path()).args(arguments).output().unwrap()
    };

    // From a checkpoint, given as a folder, from inside it, and by its record; and from the run.
    for (from, to) in [
        ("run/checkpoints/aging/000004", "a.st"),
        ("run/checkpoints/aging/000004/model.bpk", "b.st"),
        ("run/../run/checkpoints/aging/000004/.", "c.st"),
        ("run", "d.st"),
    ] {
        succeeded(ipcgan(&["convert", from, to]));
        assert!(fs::read(folder.path().join(to)).unwrap() == saved, "{from}: not the bytes that the stage saved");
    }

    // Without final weights the best checkpoint is used, by the run's selection metric.
    fs::remove_file(run.join("weights/generator.safetensors")).unwrap();
    let state = fs::read(run.join("checkpoints/aging/000004/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["best"]["metric"], "realism and age");
    let best = format!("checkpoints/aging/{:06}", state["best"]["step"].as_u64().unwrap());
    for from in ["run", "run/checkpoints", "run/checkpoints/aging"] {
        let (_, stderr) = succeeded(ipcgan(&["convert", from, "best.st"]));
        assert!(stderr.contains(&best) && stderr.contains("the best one by realism and age"), "{stderr}");
        assert!(stderr.contains("recalibrating batch norm on 2 batches"), "{stderr}");
    }
    let face = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos/eileen-collins-face.png");
    fs::copy(face, folder.path().join("photo.png")).unwrap();
    let age = ["age", "photo.png", "--aligned", "--device", "cpu", "--to", "51+", "--weights", "run"];
    succeeded(ipcgan(&age));
    assert!(folder.path().join("aged/photo-51+.png").exists());

    // Other checkpoints hold no generator; the error explains it.
    let stderr = text(&ipcgan(&["convert", "run/checkpoints/age/000004", "e.st"]).stderr);
    assert!(stderr.contains("a checkpoint of the age stage"), "{stderr}");
    let stderr = text(&ipcgan(&["convert", "run/log", "e.st"]).stderr);
    assert!(stderr.contains("contains no weights"), "{stderr}");
    let stderr = text(&ipcgan(&["convert", "no-run", "e.st"]).stderr);
    assert!(stderr.contains("no-run: no such file or folder"), "{stderr}");
    let record = run.join("checkpoints/aging/000004/model.bpk");
    let mut bytes = fs::read(&record).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&record, bytes).unwrap();
    let stderr = text(&ipcgan(&["convert", "run/checkpoints/aging/000004", "e.st"]).stderr);
    assert!(stderr.contains("model.bpk is damaged"), "{stderr}");
    assert!(!folder.path().join("e.st").exists());
}

#[test]
fn a_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(trained(folder.path(), &["--stage", "identity"]));

    let data_before = fs::read(folder.path().join("run/data.json")).unwrap();

    let output = trained(folder.path(), &["--stage", "identity"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));

    let synthetic = ["prepare", "--source", "synthetic", "--identities", "12", "--size", "32", "--out", "faces"];
    let prepared =
        Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder.path()).args(synthetic).output().unwrap();
    succeeded(prepared);
    let output = trained(folder.path(), &["--stage", "identity", "--data", "faces"]);
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));
    assert!(fs::read(folder.path().join("run/data.json")).unwrap() == data_before, "the run forgot its data");
}

/// Sends Ctrl-C as a terminal does.
#[cfg(unix)]
#[test]
fn control_c_stops_cleanly_with_a_checkpoint_to_resume_from() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let endless = ["--stage", "identity", "--set", "identity.steps=1000000"];
    let mut command = small_run(folder.path(), &endless);
    // No other checkpoint is written, however long the stop takes.
    command.args(["--set", "checkpoint_every=1000000"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let started = lines.by_ref().any(|line| line.unwrap().contains("step"));
    assert!(started);

    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());

    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
    let checkpoints: Vec<_> = fs::read_dir(folder.path().join("run/checkpoints/identity")).unwrap().collect();
    assert_eq!(checkpoints.len(), 1);
}
