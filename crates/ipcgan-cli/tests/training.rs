//! `ipcgan train` end to end, with minimal networks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod small_run;

use std::fs;
use std::path::Path;
use std::process::Command;

use small_run::{recorded, resumed, small_run_on, succeeded, text, trained, weights};

#[test]
fn training_on_synthetic_faces_ends_with_weights_that_age_a_photo() {
    let folder = tempfile::tempdir().unwrap();

    let (stdout, report) = succeeded(trained(folder.path(), &["--set", "aging.steps=4"]));

    assert!(stdout.contains("000004.png"), "names no sample grid: {stdout}");
    assert!(stdout.contains("age PHOTO --weights"), "names no next command: {stdout}");
    for line in ["identity  after step 4", "age  after step 4", "aging  after step 4"] {
        assert!(report.contains(line), "no `{line}` in {report}");
    }
    let run = folder.path().join("run");
    let grid = image::open(run.join("samples/000004.png")).unwrap();
    assert!(grid.width() > 6 * 32, "a source and five groups in a row");
    let config: serde_json::Value = serde_json::from_slice(&fs::read(run.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["generator"]["width"], 2);

    let face = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos/eileen-collins-face.png");
    fs::copy(face, folder.path().join("photo.png")).unwrap();
    let weights = run.join("weights/generator.safetensors");
    let output = Command::new(env!("CARGO_BIN_EXE_ipcgan"))
        .current_dir(folder.path())
        .args(["age", "photo.png", "--aligned", "--device", "cpu", "--weights", weights.to_str().unwrap()])
        .output()
        .unwrap();
    succeeded(output);
    for group in ["11-20", "21-30", "31-40", "41-50", "51+", "strip"] {
        assert!(folder.path().join(format!("aged/photo-{group}.png")).exists(), "no image for {group}");
    }
}

#[test]
fn a_non_finite_loss_ends_the_run_with_advice() {
    let folder = tempfile::tempdir().unwrap();

    let wild = ["--set", "aging.steps=50", "--set", "aging.weights.age=1e60", "--set", "checkpoint_every=1"];
    let output = trained(folder.path(), &wild);

    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error:")).unwrap();
    assert!(error.contains("after step") && error.contains("lower learning rate"), "{error}");
    assert!(!folder.path().join("run/weights/generator.safetensors").exists());
}

#[test]
fn a_diverging_loss_can_lower_the_learning_rate_and_return_to_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();

    let wild =
        ["--set", "aging.steps=6", "--set", "aging.weights.age=1e60", "--set", "on_divergence=lower_learning_rate"];
    let output = trained(folder.path(), &wild);

    // These weights diverge at any learning rate, so the run stops with an error.
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    // The first steps diverge, before there is a checkpoint.
    let retries = stderr.lines().filter(|line| line.contains("; retrying from step 0 with half the learning rate"));
    assert_eq!(retries.count(), 3, "{stderr}");
    let config = fs::read(folder.path().join("run/log/aging/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["aging"]["generator_learning_rate"], 3e-4 / 8.0);
}

#[test]
fn the_best_checkpoint_is_selected_by_the_selection_metric() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--set", "aging.steps=2", "--set", "aging.selection_metric=objective"];

    succeeded(trained(folder.path(), &settings));

    let state = fs::read(folder.path().join("run/checkpoints/aging/000002/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["best"]["metric"], "objective");
    assert_eq!(state["best"]["value"], state["held_out"]["objective"]);
    assert!(state["held_out"]["realism and age"].is_number(), "{state}");
}

#[test]
fn batch_norm_is_recalibrated_on_as_many_batches_as_configured_even_after_fewer_steps() {
    let folder = tempfile::tempdir().unwrap();

    for (run, batches) in [("one", "aging.recalibration_batches=1"), ("three", "aging.recalibration_batches=3")] {
        succeeded(trained(folder.path(), &["--run", run, "--set", "aging.steps=1", "--set", batches]));
    }

    assert!(weights(folder.path(), "one", "generator") != weights(folder.path(), "three", "generator"));
    assert!(weights(folder.path(), "one", "discriminator") == weights(folder.path(), "three", "discriminator"));
}

#[test]
fn two_devices_have_the_losses_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let steps = ["--set", "aging.steps=4", "--run"];
    let halves = ["identity", "age", "aging"]
        .map(|stage| [format!("{stage}.batch_size=2"), format!("{stage}.gradient_accumulation=2")]);
    let halves: Vec<&str> = halves.iter().flatten().flat_map(|setting| ["--set", setting]).collect();

    succeeded(trained(folder.path(), &[&steps[..], &["one"], &halves].concat()));
    let two = [&steps[..], &["two"]].concat();
    succeeded(small_run_on(folder.path(), "cpu,cpu", &two).output().unwrap());

    for stage in ["identity", "age", "aging"] {
        let file = format!("{stage}/train.jsonl");
        let [one, two] = ["one", "two"].map(|run| recorded(folder.path(), run, &file));
        assert_eq!((one.len(), two.len()), (4, 4));
        for (one, two) in one.iter().zip(&two) {
            for (name, value) in one.as_object().unwrap() {
                let measured = ["faces per second", "memory MB"].contains(&name.as_str());
                let [one, other] = [value, &two[name]].map(|value| value.as_f64().unwrap());
                assert!(measured || (one - other).abs() <= 1e-5 * one.abs(), "{stage} {name}: {one} and {other}");
            }
        }
    }
}

#[test]
fn a_batch_that_devices_cannot_share_is_rejected() {
    let folder = tempfile::tempdir().unwrap();

    let output = small_run_on(folder.path(), "cpu,cpu,cpu", &[]).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("identity.batch_size`: must be a multiple of 3"), "{}", text(&output.stderr));
}

#[test]
fn early_stopping_ends_a_stage_and_keeps_its_best_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let patient = ["--stage", "identity", "--set", "identity.patience=1", "--set", "validations=20"];

    let (_, report) = succeeded(trained(folder.path(), &[&patient[..], &["--set", "identity.steps=200"]].concat()));

    assert!(report.contains("(early stopping)"), "{report}");
    let run = folder.path().join("run");
    let validations = recorded(folder.path(), "run", "identity/valid.jsonl");
    let values: Vec<f64> = validations.iter().map(|line| line["verification AUC"].as_f64().unwrap()).collect();
    let (last, before) = values.split_last().unwrap();
    let best = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(values.len() < 20 && *last <= best, "{values:?}");
    let step = validations[values.iter().position(|value| *value == best).unwrap()]["step"].as_u64().unwrap();
    assert!(run.join(format!("checkpoints/identity/{step:06}/state.json")).exists(), "the best one is kept");

    let (_, report) = succeeded(resumed(folder.path(), &["--stage", "identity"]));
    assert!(!report.contains("identity  step"), "it ended: {report}");
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();

    let (stdout, _) = succeeded(trained(folder.path(), &["--dry-run", "--set", "aging.steps=7"]));

    for stage in ["identity", "age", "aging"] {
        assert!(stdout.lines().any(|line| line.starts_with(stage)), "no {stage} in {stdout}");
    }
    assert!(stdout.contains("all stages:"), "{stdout}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn plots_are_written_and_a_resumed_run_is_marked_in_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let watched = ["--set", "aging.steps=4", "--set", "histogram_every=2", "--seed", "3"];
    succeeded(trained(folder.path(), &watched));
    succeeded(resumed(folder.path(), &["--set", "aging.steps=6"]));

    let run = folder.path().join("run");
    for stage in ["identity", "age", "aging"] {
        let plot = image::open(run.join(format!("plots/{stage}.png"))).unwrap();
        assert_eq!(plot.width(), 3 * 480);
    }
    let steps: Vec<_> =
        recorded(folder.path(), "run", "aging/train.jsonl").iter().map(|line| line["step"].as_u64()).collect();
    assert_eq!(steps, (1..=6).map(Some).collect::<Vec<_>>());
    let mut events: Vec<_> =
        fs::read_dir(run.join("tensorboard/aging")).unwrap().map(|file| file.unwrap().path()).collect();
    events.sort();
    assert_eq!(events.len(), 2, "a run that goes on has a file of its own");
    let first = fs::read(&events[0]).unwrap();
    let has = |name: &[u8]| first.windows(name.len()).any(|part| part == name);
    assert!(has(b"adversarial/train") && has(b"objective/valid") && has(b"samples") && has(b"weights/generator."));
    let config: serde_json::Value = serde_json::from_slice(&fs::read(run.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["seed"], 3);
}

#[test]
fn mixed_precision_has_the_losses_of_full_precision_within_a_tolerance() {
    let folder = tempfile::tempdir().unwrap();
    for precision in ["float32", "float16", "bfloat16"] {
        let setting = format!("precision={precision}");
        // With these loss weights, float16 skips no update at the initial loss scale.
        let weights = ["trunk_age_weight=0", "aging.weights.adversarial=7.5", "aging.weights.identity=1e-4"];
        let weights = weights.iter().chain(&["aging.weights.age=3"]).flat_map(|weight| ["--set", weight]);
        let settings = ["--set", "aging.steps=4", "--run", precision, "--set", &setting];
        succeeded(trained(folder.path(), &settings.into_iter().chain(weights).collect::<Vec<_>>()));
    }

    let losses = |run| -> Vec<f64> {
        let steps = recorded(folder.path(), run, "aging/train.jsonl");
        steps.iter().map(|step| step["discriminator"].as_f64().unwrap()).collect()
    };
    let wide = losses("float32");
    for (narrow, tolerance) in [("float16", 0.02), ("bfloat16", 0.1)] {
        let narrow = losses(narrow);
        for (narrow, wide) in narrow.iter().zip(&wide) {
            assert!((narrow - wide).abs() <= tolerance * wide, "{narrow} and {wide}");
        }
        // The discriminator starts with equal scores, exact in any precision.
        assert!(narrow[1..].iter().zip(&wide[1..]).all(|(narrow, wide)| narrow != wide), "nothing was narrow");
    }
}

#[test]
fn a_stage_without_the_one_before_it_is_an_error_with_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();

    let output = trained(folder.path(), &["--stage", "age"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--stage identity"), "{}", text(&output.stderr));
    assert!(!folder.path().join("run").exists());
}
