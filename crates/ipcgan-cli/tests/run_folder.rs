//! Run folders: `ipcgan train` resumes existing runs and rejects incompatible data and settings.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod small_run;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use small_run::{ended, small_run, train};

const DONE: i32 = 0;
const FAILED: i32 = 1;
const MISUSED: i32 = 2;

/// An endless training run, after its first step and checkpoint.
fn endless(folder: &Path) -> Child {
    let mut command = small_run(folder, &["--stage", "identity", "--plain"]);
    command.args(["--set", "identity.steps=1000000", "--set", "checkpoint_every=1"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("identity  step")));
    // Drain its output, so that the pipe does not fill up.
    std::thread::spawn(move || lines.for_each(drop));
    while !folder.join("run/log/identity/checkpoint.json").exists() {
        std::thread::yield_now();
    }
    child
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Step numbers in a log.
fn steps(log: &Path) -> Vec<u64> {
    let text = fs::read_to_string(log).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["step"].as_u64().unwrap())
        .collect()
}

#[test]
fn a_second_training_in_a_run_folder_is_rejected_and_a_killed_one_resumes_with_every_step_in_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = endless(folder.path());

    for second in [&["--stage", "identity"][..], &["--stage", "identity", "--resume"]] {
        let report = ended(&mut small_run(folder.path(), second), FAILED);
        assert!(report.contains("run is in use by another process"), "{report}");
    }

    first.kill().unwrap();
    first.wait().unwrap();
    let run = folder.path().join("run");
    let done = json(&run.join("log/identity/checkpoint.json")).as_u64().unwrap();
    let longer = format!("identity.steps={}", done + 3);
    ended(&mut train(folder.path(), &["--resume", "--stage", "identity", "--set", &longer]), DONE);
    assert_eq!(steps(&run.join("log/identity/train.jsonl")), (1..=done + 3).collect::<Vec<_>>());
}

#[test]
fn a_folder_without_a_run_cannot_be_resumed() {
    let folder = tempfile::tempdir().unwrap();

    let report = ended(&mut small_run(folder.path(), &["--resume", "--run", "TYPO"]), FAILED);

    assert!(report.contains("there is no run in TYPO to resume"), "{report}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_stage_with_missing_checkpoints_does_not_restart() {
    let folder = tempfile::tempdir().unwrap();
    ended(&mut small_run(folder.path(), &["--stage", "identity"]), DONE);
    let run = folder.path().join("run");
    let weights = fs::read(run.join("weights/alexnet.safetensors")).unwrap();
    fs::remove_dir_all(run.join("checkpoints")).unwrap();

    let longer = ["--stage", "identity", "--resume", "--set", "identity.steps=6"];
    let report = ended(&mut train(folder.path(), &longer), FAILED);

    assert!(report.contains("was trained for 4 steps, but there is no checkpoint"), "{report}");
    assert!(fs::read(run.join("weights/alexnet.safetensors")).unwrap() == weights);
    assert_eq!(steps(&run.join("log/identity/train.jsonl")), [1, 2, 3, 4]);
    // Also without the summary, and with only the log.
    fs::remove_file(run.join("log/identity/summary.json")).unwrap();
    ended(&mut train(folder.path(), &longer), FAILED);
    let report = ended(&mut train(folder.path(), &["--stage", "identity"]), FAILED);
    assert!(report.contains("already holds a run"), "{report}");
}

#[test]
fn a_complete_run_with_missing_checkpoints_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    ended(&mut small_run(folder.path(), &["--stage", "identity"]), DONE);
    let again = || ended(&mut train(folder.path(), &["--stage", "identity", "--resume"]), DONE);
    assert!(!again().contains("checkpoint"));

    fs::remove_dir_all(folder.path().join("run/checkpoints")).unwrap();

    let report = again();
    assert!(report.contains("warning: the identity stage is complete, but no checkpoint of it is left"), "{report}");
}

#[test]
fn a_stage_of_an_existing_run_has_the_settings_and_the_data_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut prepare = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    prepare.current_dir(folder.path()).args(["prepare", "--source", "synthetic", "--identities", "12", "--size", "32"]);
    ended(prepare.args(["--out", "faces"]), DONE);
    for stage in ["identity", "age"] {
        ended(&mut small_run(folder.path(), &["--data", "faces", "--stage", stage]), DONE);
    }
    let run = folder.path().join("run");
    let before = json(&run.join("config.json"));

    let report = ended(&mut train(folder.path(), &["--stage", "aging", "--preset", "compact"]), MISUSED);
    assert!(report.contains("was started with --preset tiny, not compact"), "{report}");
    let report = ended(&mut train(folder.path(), &["--stage", "aging", "--set", "alexnet.width=4"]), FAILED);
    assert!(report.contains("`alexnet.width` was 2 when the identity stage was trained"), "{report}");
    ended(&mut train(folder.path(), &["--stage", "aging", "--set", "aging.steps=3"]), DONE);

    let mut after = json(&run.join("config.json"));
    assert_eq!((after["generator"]["width"].as_u64(), after["aging"]["steps"].as_u64()), (Some(2), Some(3)));
    after["aging"]["steps"] = before["aging"]["steps"].clone();
    assert_eq!(after, before, "what is not set stays");
    assert!(json(&run.join("data.json")).as_str().unwrap().ends_with("faces"));
}

#[test]
fn a_stage_requires_completed_earlier_stages_and_not_only_their_weights() {
    let folder = tempfile::tempdir().unwrap();
    ended(&mut small_run(folder.path(), &["--stage", "identity"]), DONE);

    let report = ended(&mut small_run(folder.path(), &["--stage", "aging"]), FAILED);

    assert!(report.contains("run `--stage age` first"), "{report}");
}

#[test]
fn a_stage_whose_result_a_later_stage_used_cannot_be_continued() {
    let folder = tempfile::tempdir().unwrap();
    ended(&mut small_run(folder.path(), &[]), DONE);
    let alexnet = folder.path().join("run/weights/alexnet.safetensors");
    let before = fs::read(&alexnet).unwrap();

    let report = ended(&mut train(folder.path(), &["--resume", "--set", "identity.steps=6"]), FAILED);
    assert!(report.contains("the age stage in run was trained with the result of the identity stage"), "{report}");
    let report =
        ended(&mut train(folder.path(), &["--resume", "--set", "generator.width=4", "--set", "aging.steps=3"]), FAILED);
    assert!(report.contains("`generator.width` was 2"), "{report}");
    let report = ended(
        &mut train(folder.path(), &["--resume", "--set", "discriminator.score_channels=3", "--set", "aging.steps=3"]),
        FAILED,
    );
    assert!(report.contains("`discriminator.score_channels` was"), "{report}");

    assert!(fs::read(&alexnet).unwrap() == before);
    ended(&mut train(folder.path(), &["--resume"]), DONE);
}

#[test]
fn a_command_that_fails_before_it_trains_leaves_no_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let run = folder.path().join("run");

    for (arguments, code) in [
        (&["--set", "generator.wdth=4"][..], MISUSED),
        (&["--set", "alexnet.hidden=0"], MISUSED),
        (&["--set", "synthetic.size=0"], MISUSED),
        (&["--data", "nowhere"], FAILED),
        (&["--data", "empty"], FAILED),
        (&["--set", "valid_fraction=0.0001"], FAILED),
        (&["--stage", "aging"], FAILED),
    ] {
        ended(&mut small_run(folder.path(), arguments), code);
        assert!(!run.exists(), "{arguments:?} left a run");
    }

    ended(&mut small_run(folder.path(), &["--stage", "identity"]), DONE);
}

/// A prepared folder of synthetic faces with the table rows for which `keep` is true, without the columns of `without`.
fn prepared(folder: &Path, without: &[&str], keep: impl Fn(&str) -> bool) {
    let mut prepare = Command::new(env!("CARGO_BIN_EXE_ipcgan"));
    prepare.current_dir(folder).args(["prepare", "--source", "synthetic", "--identities", "12", "--size", "32"]);
    ended(prepare.args(["--out", "faces"]), DONE);
    let table = folder.join("faces/metadata.csv");
    let text = fs::read_to_string(&table).unwrap();
    let names: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let kept: Vec<usize> = (0..names.len()).filter(|column| !without.contains(&names[*column])).collect();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        kept.iter().map(|column| cells[*column]).collect::<Vec<_>>().join(",")
    };
    let rows = text.lines().enumerate().filter(|(index, line)| *index == 0 || keep(line)).map(|(_, line)| row(line));
    fs::write(&table, rows.collect::<Vec<_>>().join("\n") + "\n").unwrap();
}

#[test]
fn ages_that_a_later_stage_needs_are_checked_before_the_first_stage_starts() {
    let folder = tempfile::tempdir().unwrap();
    prepared(folder.path(), &["age", "group"], |_| true);

    let report = ended(&mut small_run(folder.path(), &["--data", "faces"]), FAILED);

    assert!(report.contains("to train on has an age"), "{report}");
    assert!(!report.contains("identity  step") && !folder.path().join("run").exists(), "{report}");
    ended(&mut small_run(folder.path(), &["--data", "faces", "--stage", "identity"]), DONE);
}

#[test]
fn an_age_group_without_faces_is_reported_before_the_first_stage_starts() {
    let folder = tempfile::tempdir().unwrap();
    prepared(folder.path(), &[], |line| !line.contains("/group-4/"));

    let report = ended(&mut small_run(folder.path(), &["--data", "faces"]), FAILED);

    assert!(report.contains("no face of age group 51+"), "{report}");
    assert!(!report.contains("identity  step") && !folder.path().join("run").exists(), "{report}");
}

#[test]
fn steps_that_cannot_be_captured_are_reported_once_and_before_the_first_stage_starts() {
    let folder = tempfile::tempdir().unwrap();

    let report = ended(&mut small_run(folder.path(), &["--plain", "--set", "aging.capture=true"]), DONE);

    let [warning, first_step] = ["steps are not captured: ", "identity  step"].map(|text| report.find(text).unwrap());
    assert!(warning < first_step, "{report}");
    assert_eq!(report.matches("steps are not captured").count(), 1, "{report}");
}

#[test]
fn settings_that_prevent_learning_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    ended(&mut small_run(folder.path(), &[]), DONE);
    let resumed = |more: &[&str]| train(folder.path(), &[&["--resume", "--plain"], more].concat());

    for setting in ["generator.width=16", "seed=9", "precision=float16", "synthetic.identities=40"] {
        let report = ended(&mut resumed(&["--set", setting]), FAILED);
        let (name, _) = setting.split_once('=').unwrap();
        assert!(report.contains(&format!("setting `{name}` has no effect")), "{report}");
    }
    ended(&mut resumed(&[]), DONE);

    // With more steps, changed settings would move training faces into the validation split.
    let more: usize = 4 + 1;
    let report = ended(&mut resumed(&["--seed", "9", "--set", &format!("aging.steps={more}")]), FAILED);
    assert!(report.contains("setting `seed` was"), "{report}");
}

#[test]
fn a_damaged_configuration_is_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    ended(&mut small_run(folder.path(), &["--stage", "identity"]), DONE);
    fs::write(folder.path().join("run/config.json"), "").unwrap();

    let report = ended(&mut train(folder.path(), &["--resume", "--plain"]), FAILED);

    assert!(report.contains("config.json is damaged"), "{report}");
}

#[test]
fn data_without_identities_are_reported_with_the_setting_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    prepared(folder.path(), &["identity"], |_| true);

    let identities_alone = ["--data", "faces", "--stage", "identity", "--set", "trunk_age_weight=0"];
    let report = ended(&mut small_run(folder.path(), &identities_alone), DONE);

    assert!(report.contains("no face in this data has an identity label"), "{report}");
    assert!(report.contains("trunk_age_weight=100"), "{report}");

    let quiet = [&identities_alone[..], &["--dry-run", "--quiet", "--run", "other"]].concat();
    let report = ended(&mut small_run(folder.path(), &quiet), DONE);
    assert!(!report.contains("no face in this data has an identity label"), "{report}");
}

#[test]
fn a_batch_that_exceeds_the_memory_is_rejected_without_a_trial() {
    let folder = tempfile::tempdir().unwrap();
    let huge = ["--set", "aging.batch_size=1000000", "--set", "generator.image_size=1024"];

    for more in [&["--dry-run"][..], &[]] {
        let report = ended(&mut small_run(folder.path(), &[&huge[..], more].concat()), FAILED);
        assert!(
            report.contains("the aging stage needs about") && report.contains("lower aging.batch_size"),
            "{report}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_large_batch_is_estimated_from_small_ones() {
    let folder = tempfile::tempdir().unwrap();
    let large = ["--dry-run", "--set", "aging.batch_size=50000"];

    let output = small_run(folder.path(), &large).output().unwrap();

    let table = String::from_utf8_lossy(&output.stdout);
    let aging = table.lines().find(|line| line.starts_with("aging")).unwrap();
    assert!(aging.contains(" ~") && aging.contains(" 50000 "), "{table}");
    let age = table.lines().find(|line| line.starts_with("age ")).unwrap();
    assert!(!age.contains('~'), "measured: {table}");
}

#[test]
fn a_run_has_the_settings_of_a_preset_file_and_resumes_with_the_same_command() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(folder.path().join("mine.json"), text).unwrap();
    let mine = ["--preset", "mine.json", "--stage", "identity"];

    write(r#"{"preset": "tiny", "identity": {"stepz": 3}}"#);
    let report = ended(&mut small_run(folder.path(), &mine), MISUSED);
    let expected = "settings file mine.json: setting `identity.stepz`: unknown setting `stepz`; did you mean `steps`?";
    assert!(report.contains(expected), "{report}");
    let report = ended(&mut small_run(folder.path(), &["--preset", "mine"]), MISUSED);
    assert!(
        report.contains("`mine` is neither a preset (paper, natural, compact, tiny) nor an existing settings file"),
        "{report}"
    );
    assert!(!folder.path().join("run").exists());

    write(r#"{"preset": "tiny", "description": "mine", "valid_faces": 7, "identity": {"learning_rate": 0.002}}"#);
    ended(&mut small_run(folder.path(), &mine), DONE);
    let config = json(&folder.path().join("run/config.json"));
    assert_eq!((config["preset"].as_str(), config["valid_faces"].as_u64()), (Some("tiny"), Some(7)));
    assert_eq!(config["identity"]["learning_rate"].as_f64(), Some(0.002));
    ended(small_run(folder.path(), &mine).arg("--resume"), DONE);

    write(r#"{"preset": "tiny", "valid_faces": 8}"#);
    let report = ended(small_run(folder.path(), &mine).arg("--resume"), MISUSED);
    assert!(report.contains("setting `valid_faces` is 7 in the run and 8 in mine.json"), "{report}");
}

#[test]
fn a_projected_discriminator_without_its_recogniser_is_reported_before_the_first_stage() {
    let folder = tempfile::tempdir().unwrap();
    let projected = [
        "--plain",
        "--set",
        "discriminator.projected=true",
        "--set",
        "aging.weights.projected=10",
        "--recogniser",
        "no",
    ];

    let report = ended(&mut small_run(folder.path(), &projected), FAILED);

    assert!(report.contains("cannot read the weights of the recogniser, no"), "{report}");
    assert!(report.contains("assets/recogniser"), "{report}");
    assert!(!report.contains("identity  step"), "{report}");

    let report = ended(&mut small_run(folder.path(), &["--set", "aging.weights.projected=10"]), MISUSED);
    assert!(report.contains("`discriminator.projected`") && report.contains("aging.weights.projected"), "{report}");
}
