//! `ipcgan train` from nothing to an aged face, on the smallest networks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Networks and runs as small as they can be.
const SMALL: [&str; 20] = [
    "--set",
    "synthetic.identities=12",
    "--set",
    "synthetic.faces_per_group=1",
    "--set",
    "synthetic.size=32",
    "--set",
    "generator.image_size=32",
    "--set",
    "generator.width=2",
    "--set",
    "discriminator.width=2",
    "--set",
    "alexnet.input_size=67",
    "--set",
    "alexnet.width=2",
    "--set",
    "valid_share=0.4",
    "--set",
    "validations=1",
];

fn train(folder: &Path, extra: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["train", "--device", "cpu"]).args(SMALL);
    for stage in ["identity", "age", "aging"] {
        command.args(["--set", &format!("{stage}.batch_size=4")]);
    }
    command.args(["--set", "identity.steps=4", "--set", "age.steps=4"]).args(extra);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeded(output: Output) -> (String, String) {
    let (answer, report) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{report}");
    (answer, report)
}

/// The whole file: the same run makes the same bytes.
fn weights(folder: &Path, run: &str, network: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("weights").join(format!("{network}.safetensors"))).unwrap()
}

#[test]
fn training_on_drawn_faces_ends_with_weights_that_age_a_photo() {
    let folder = tempfile::tempdir().unwrap();

    let (answer, report) = succeeded(train(folder.path(), &["--set", "aging.steps=4"]));

    assert!(answer.contains("000004.png"), "names no sample grid: {answer}");
    assert!(answer.contains("age PHOTO --weights"), "names no next command: {answer}");
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
        assert!(folder.path().join(format!("aged/photo-{group}.png")).exists(), "no picture for {group}");
    }
}

#[test]
fn a_run_that_goes_on_ends_with_the_weights_of_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--run", "unbroken", "--set", "aging.steps=6"]));

    let first = ["--run", "broken", "--set", "aging.steps=6", "--set", "checkpoint_every=3"];
    succeeded(train(folder.path(), &first));
    // As after a crash between step 3 and the end.
    fs::remove_dir_all(folder.path().join("broken/checkpoints/aging/000006")).unwrap();
    fs::remove_file(folder.path().join("broken/log/aging/summary.json")).unwrap();
    fs::remove_file(folder.path().join("broken/weights/generator.safetensors")).unwrap();
    succeeded(resume(folder.path(), &["--run", "broken"]));

    assert_same_networks(folder.path(), "unbroken", "broken");
}

/// `--resume` alone: the settings are those that the run began with.
fn resume(folder: &Path, extra: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder).args(["train", "--device", "cpu", "--resume"]).args(extra).output().unwrap()
}

fn assert_same_networks(folder: &Path, one: &str, other: &str) {
    for network in ["alexnet", "generator", "discriminator"] {
        assert!(weights(folder, one, network) == weights(folder, other, network), "the {network} differs");
    }
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_serves() {
    let folder = tempfile::tempdir().unwrap();
    let first = ["--run", "broken", "--set", "aging.steps=6", "--set", "checkpoint_every=3"];
    succeeded(train(folder.path(), &first));
    let run = folder.path().join("broken");
    let [generator, unbroken] = [run.join("weights/generator.safetensors"), folder.path().join("unbroken/weights")];
    fs::create_dir_all(&unbroken).unwrap();
    for name in ["alexnet", "generator", "discriminator"] {
        let file = format!("{name}.safetensors");
        fs::copy(run.join("weights").join(&file), unbroken.join(&file)).unwrap();
    }
    fs::remove_file(&generator).unwrap();
    fs::remove_file(run.join("log/aging/summary.json")).unwrap();
    let model = run.join("checkpoints/aging/000006/model.bpk");
    let mut bytes = fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&model, bytes).unwrap();

    let (_, report) = succeeded(resume(folder.path(), &["--run", "broken"]));

    assert!(report.contains("000006: model.bpk is damaged") && report.contains("going on from step 3"), "{report}");
    assert_same_networks(folder.path(), "unbroken", "broken");
}

#[test]
fn a_crash_after_the_last_checkpoint_loses_no_weights() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--set", "aging.steps=2"]));
    let before = ["alexnet", "generator", "discriminator"].map(|network| weights(folder.path(), "run", network));
    for file in ["weights/generator.safetensors", "weights/discriminator.safetensors", "log/aging/summary.json"] {
        fs::remove_file(folder.path().join("run").join(file)).unwrap();
    }

    succeeded(resume(folder.path(), &[]));

    let after = ["alexnet", "generator", "discriminator"].map(|network| weights(folder.path(), "run", network));
    assert!(before == after);
    let summary = fs::read(folder.path().join("run/log/age/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["steps"], 4);
    assert!(summary["held_out"]["within one group"].is_number(), "{summary}");
}

#[test]
fn a_run_goes_on_only_with_what_it_began_with_unless_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--set", "aging.steps=2"]));

    let longer = resume(folder.path(), &["--set", "aging.steps=3"]);
    succeeded(longer);
    assert!(folder.path().join("run/checkpoints/aging/000003").exists());

    let other = resume(folder.path(), &["--preset", "compact"]);
    assert!(text(&other.stderr).contains("began with --preset tiny"), "{}", text(&other.stderr));

    let fewer = resume(folder.path(), &["--set", "aging.steps=4", "--set", "synthetic.identities=11"]);
    assert!(text(&fewer.stderr).contains("faces to learn from and now there are"), "{}", text(&fewer.stderr));
}

#[test]
fn a_loss_that_is_no_number_ends_the_run_with_what_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();

    let wild = ["--set", "aging.steps=50", "--set", "aging.weights.age=1e60", "--set", "checkpoint_every=1"];
    let output = train(folder.path(), &wild);

    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let error = said.lines().find(|line| line.starts_with("error:")).unwrap();
    assert!(error.contains("after step") && error.contains("lower rates"), "{error}");
    assert!(!folder.path().join("run/weights/generator.safetensors").exists());
}

/// The lines of JSON that a stage left.
fn recorded(folder: &Path, run: &str, file: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join(run).join("log").join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_loss_that_diverges_may_lower_the_rates_and_go_back() {
    let folder = tempfile::tempdir().unwrap();

    let wild = ["--set", "aging.steps=6", "--set", "aging.weights.age=1e60", "--set", "on_divergence=lower"];
    let output = train(folder.path(), &wild);

    // Weights like these diverge at any rate, so it is given up in the end.
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().filter(|line| line.contains("with half the rates")).count(), 3, "{said}");
    let config = fs::read(folder.path().join("run/log/aging/config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["aging"]["generator_learning_rate"], 3e-4 / 8.0);
}

#[test]
fn an_averaged_run_that_goes_on_ends_with_the_weights_of_an_unbroken_one() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        "--set",
        "aging.average=0.9",
        "--set",
        "aging.statistics_batches=2",
        "--set",
        "aging.accumulate=2",
        "--set",
        "aging.discriminator_updates=2",
        "--set",
        "aging.schedule=linear",
        "--set",
        "aging.warm_up=2",
        "--set",
        "aging.clip_norm=10",
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
    succeeded(train(folder.path(), &extra("unbroken")));
    succeeded(train(folder.path(), &extra("broken")));
    let run = folder.path().join("broken");
    fs::remove_dir_all(run.join("checkpoints/aging/000006")).unwrap();
    fs::remove_file(run.join("log/aging/summary.json")).unwrap();
    fs::remove_file(run.join("weights/generator.safetensors")).unwrap();

    succeeded(resume(folder.path(), &["--run", "broken"]));

    assert_same_networks(folder.path(), "unbroken", "broken");
    let losses = |run| -> Vec<_> {
        let steps = recorded(folder.path(), run, "aging/train.jsonl");
        steps.iter().map(|step| (step["step"].as_u64(), step["adversarial"].as_f64())).collect()
    };
    assert_eq!(losses("unbroken").len(), 6);
    assert_eq!(losses("unbroken"), losses("broken"));
    // Half an average of two generators is neither of them.
    let plain = ["--run", "plain", "--set", "aging.steps=6", "--set", "aging.average=0"];
    let plain = [&plain[..], &["--set", "aging.statistics_batches=0"], &settings[4..]].concat();
    succeeded(train(folder.path(), &plain));
    assert!(weights(folder.path(), "plain", "generator") != weights(folder.path(), "broken", "generator"));
    assert!(weights(folder.path(), "plain", "discriminator") == weights(folder.path(), "broken", "discriminator"));
}

#[test]
fn a_checkpoint_gives_the_weights_that_the_stage_would_have_saved() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["aging.steps=4", "aging.average=0.9", "aging.statistics_batches=2", "validations=2"];
    let settings: Vec<&str> = settings.into_iter().flat_map(|setting| ["--set", setting]).collect();
    succeeded(train(folder.path(), &settings));
    let run = folder.path().join("run");
    let saved = weights(folder.path(), "run", "generator");
    let ipcgan = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder.path()).args(arguments).output().unwrap()
    };

    // Of a checkpoint, named as a folder, from inside of it, and by its record; of the run.
    for (from, to) in [
        ("run/checkpoints/aging/000004", "a.st"),
        ("run/checkpoints/aging/000004/model.bpk", "b.st"),
        ("run/../run/checkpoints/aging/000004/.", "c.st"),
        ("run", "d.st"),
    ] {
        succeeded(ipcgan(&["convert", from, to]));
        assert!(fs::read(folder.path().join(to)).unwrap() == saved, "{from}: not the bytes that the stage saved");
    }

    // Without finished weights the best checkpoint counts, by the metric that the run has.
    fs::remove_file(run.join("weights/generator.safetensors")).unwrap();
    let state = fs::read(run.join("checkpoints/aging/000004/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["best"]["metric"], "realism and age");
    let best = format!("checkpoints/aging/{:06}", state["best"]["step"].as_u64().unwrap());
    for from in ["run", "run/checkpoints", "run/checkpoints/aging"] {
        let (_, said) = succeeded(ipcgan(&["convert", from, "best.st"]));
        assert!(said.contains(&best) && said.contains("the best one by realism and age"), "{said}");
        assert!(said.contains("recalibrating batch norm on 2 batches"), "{said}");
    }
    let face = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/photos/eileen-collins-face.png");
    fs::copy(face, folder.path().join("photo.png")).unwrap();
    let age = ["age", "photo.png", "--aligned", "--device", "cpu", "--to", "51+", "--weights", "run"];
    succeeded(ipcgan(&age));
    assert!(folder.path().join("aged/photo-51+.png").exists());

    // Others hold no generator, and say why.
    let said = text(&ipcgan(&["convert", "run/checkpoints/age/000004", "e.st"]).stderr);
    assert!(said.contains("a checkpoint of the age stage"), "{said}");
    let said = text(&ipcgan(&["convert", "run/log", "e.st"]).stderr);
    assert!(said.contains("holds no weights"), "{said}");
    let said = text(&ipcgan(&["convert", "no-run", "e.st"]).stderr);
    assert!(said.contains("no-run: there is no such file or folder"), "{said}");
    let record = run.join("checkpoints/aging/000004/model.bpk");
    let mut bytes = fs::read(&record).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&record, bytes).unwrap();
    let said = text(&ipcgan(&["convert", "run/checkpoints/aging/000004", "e.st"]).stderr);
    assert!(said.contains("model.bpk is damaged"), "{said}");
    assert!(!folder.path().join("e.st").exists());
}

#[test]
fn the_best_checkpoint_is_chosen_by_the_metric_that_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--set", "aging.steps=2", "--set", "aging.selection_metric=objective"];

    succeeded(train(folder.path(), &settings));

    let state = fs::read(folder.path().join("run/checkpoints/aging/000002/state.json")).unwrap();
    let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["best"]["metric"], "objective");
    assert_eq!(state["best"]["value"], state["held_out"]["objective"]);
    assert!(state["held_out"]["realism and age"].is_number(), "{state}");
}

#[test]
fn two_devices_lose_what_one_loses_with_as_many_faces() {
    let folder = tempfile::tempdir().unwrap();
    let steps = ["--set", "aging.steps=4", "--run"];
    let halves =
        ["identity", "age", "aging"].map(|stage| [format!("{stage}.batch_size=2"), format!("{stage}.accumulate=2")]);
    let halves: Vec<&str> = halves.iter().flatten().flat_map(|setting| ["--set", setting]).collect();

    succeeded(train(folder.path(), &[&steps[..], &["one"], &halves].concat()));
    let mut two = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    two.current_dir(folder.path()).args(["train", "--device", "cpu,cpu"]).args(SMALL);
    for setting in
        ["identity.batch_size=4", "age.batch_size=4", "aging.batch_size=4", "identity.steps=4", "age.steps=4"]
    {
        two.args(["--set", setting]);
    }
    succeeded(two.args(steps).arg("two").output().unwrap());

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
fn a_batch_that_devices_cannot_share_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder.path()).args(["train", "--device", "cpu,cpu,cpu"]).args(SMALL);

    let output = command.output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("identity.batch_size`: must be a multiple of 3"), "{}", text(&output.stderr));
}

#[test]
fn a_stage_that_becomes_no_better_ends_with_its_best_weights() {
    let folder = tempfile::tempdir().unwrap();
    let patient = ["--stage", "identity", "--set", "identity.patience=1", "--set", "validations=20"];

    let (_, report) = succeeded(train(folder.path(), &[&patient[..], &["--set", "identity.steps=200"]].concat()));

    assert!(report.contains("when nothing became better any more"), "{report}");
    let run = folder.path().join("run");
    let validations = recorded(folder.path(), "run", "identity/valid.jsonl");
    let values: Vec<f64> = validations.iter().map(|line| line["verification"].as_f64().unwrap()).collect();
    let (last, before) = values.split_last().unwrap();
    let best = before.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(values.len() < 20 && *last <= best, "{values:?}");
    let step = validations[values.iter().position(|value| *value == best).unwrap()]["step"].as_u64().unwrap();
    assert!(run.join(format!("checkpoints/identity/{step:06}/state.json")).exists(), "the best one is kept");

    let (_, report) = succeeded(resume(folder.path(), &["--stage", "identity"]));
    assert!(!report.contains("identity  step"), "it ended: {report}");
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();

    let (answer, _) = succeeded(train(folder.path(), &["--dry-run", "--set", "aging.steps=7"]));

    for stage in ["identity", "age", "aging"] {
        assert!(answer.lines().any(|line| line.starts_with(stage)), "no {stage} in {answer}");
    }
    assert!(answer.contains("all stages:"), "{answer}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn curves_are_drawn_and_a_run_that_goes_on_tells_tensorboard() {
    let folder = tempfile::tempdir().unwrap();
    let watched = ["--set", "aging.steps=4", "--set", "histogram_every=2", "--seed", "3"];
    succeeded(train(folder.path(), &watched));
    succeeded(resume(folder.path(), &["--set", "aging.steps=6"]));

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
fn narrow_products_train_as_wide_ones_do() {
    let folder = tempfile::tempdir().unwrap();
    for precision in ["float32", "float16", "bfloat16"] {
        let setting = format!("precision={precision}");
        // Weights that float16 can hold with its fixed loss scale; Adam does not tell a tenth of all of them from the whole.
        let weights = ["trunk_age_weight=0", "aging.weights.adversarial=7.5", "aging.weights.identity=1e-4"];
        let weights = weights.iter().chain(&["aging.weights.age=3"]).flat_map(|weight| ["--set", weight]);
        let settings = ["--set", "aging.steps=4", "--run", precision, "--set", &setting];
        succeeded(train(folder.path(), &settings.into_iter().chain(weights).collect::<Vec<_>>()));
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
        // The discriminator begins with equal scores, exact in any precision.
        assert!(narrow[1..].iter().zip(&wide[1..]).all(|(narrow, wide)| narrow != wide), "nothing was narrow");
    }
}

#[test]
fn a_run_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(train(folder.path(), &["--stage", "identity"]));

    let begun = fs::read(folder.path().join("run/data.json")).unwrap();

    let output = train(folder.path(), &["--stage", "identity"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));

    let drawn = ["prepare", "--source", "synthetic", "--identities", "12", "--size", "32", "--out", "faces"];
    let prepared = Command::new(env!("CARGO_BIN_EXE_ipcgan")).current_dir(folder.path()).args(drawn).output().unwrap();
    succeeded(prepared);
    let output = train(folder.path(), &["--stage", "identity", "--data", "faces"]);
    assert!(text(&output.stderr).contains("--resume"), "{}", text(&output.stderr));
    assert!(fs::read(folder.path().join("run/data.json")).unwrap() == begun, "the run forgot its data");
}

#[test]
fn a_stage_without_the_one_before_it_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();

    let output = train(folder.path(), &["--stage", "age"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--stage identity"), "{}", text(&output.stderr));
    assert!(!folder.path().join("run").exists());
}

/// Ctrl-C, sent as a terminal does.
#[cfg(unix)]
#[test]
fn control_c_ends_cleanly_with_a_checkpoint_to_go_on_from() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    command.current_dir(folder.path()).args(["train", "--device", "cpu", "--stage", "identity"]).args(SMALL);
    command.args(["--set", "identity.batch_size=4", "--set", "identity.steps=1000000"]);
    // However long it takes to stop it, there is no other checkpoint.
    command.args(["--set", "checkpoint_every=1000000"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let begun = lines.by_ref().any(|line| line.unwrap().contains("step"));
    assert!(begun);

    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());

    assert_eq!(child.wait().unwrap().code(), Some(130));
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("--resume")), "{rest:?}");
    let checkpoints: Vec<_> = fs::read_dir(folder.path().join("run/checkpoints/identity")).unwrap().collect();
    assert_eq!(checkpoints.len(), 1);
}
