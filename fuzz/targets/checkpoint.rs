//! Fuzzes the folder of a run that was interrupted in its identity stage: the first byte selects the fuzzed file.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use burn::tensor::Device;
use ipcgan::train::{Display, Interrupter, Preset, RunFolder, Session, Stage, TrainingConfig, TrainingData, train};
use libfuzzer_sys::fuzz_target;

const CHECKPOINT: &str = "checkpoints/identity/000001";
const SETTINGS: [&str; 12] = [
    "synthetic.identities=4",
    "synthetic.faces_per_group=1",
    "synthetic.size=16",
    "valid_fraction=0.5",
    "validations=1",
    "generator.image_size=16",
    "alexnet.width=2",
    "alexnet.hidden=1",
    "alexnet.embedding=1",
    "alexnet.input_size=67",
    "identity.steps=1",
    "identity.batch_size=2",
];

struct Run {
    folder: PathBuf,
    config: TrainingConfig,
    data: TrainingData,
    /// Names and contents of the files as the training left them.
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let settings: Vec<String> = SETTINGS.map(str::to_string).into();
        let config = TrainingConfig::of(Preset::Tiny).with_settings(&settings).expect("settings that there are");
        let data = TrainingData::synthetic(&config, &|_, _| ()).expect("synthetic faces");
        let mut run = Self { folder, config, data, files: vec![] };
        run.go_on(false).expect("a training");
        fs::remove_file(run.folder.join("log/identity/summary.json")).expect("a summary");
        let names = ["state.json", "model.bpk", "optimizer.bpk", "scheduler.bpk"].map(|name| Path::new(CHECKPOINT).join(name));
        let all = [Path::new("config.json"), Path::new("data.json")].into_iter().map(Path::to_path_buf).chain(names);
        run.files = all.map(|name| (name.clone(), fs::read(run.folder.join(&name)).expect("a file of the run"))).collect();
        run
    }

    fn go_on(&self, resume: bool) -> Result<(), ipcgan::train::TrainingError> {
        let session = Session {
            devices: vec![Device::flex()],
            display: Display::Lines(Arc::new(|_| ())),
            interrupter: Interrupter::new(),
            resume,
            device_memory: None,
        };
        let run = RunFolder::at(&self.folder);
        if resume {
            let (_, _) = (run.config()?, run.data_folder()?);
        }
        train(&self.config, &[Stage::Identity], &self.data, &run, &session).map(|_| ())
    }
}

static RUN: LazyLock<Run> = LazyLock::new(Run::new);

fuzz_target!(|bytes: &[u8]| {
    let Some((which, contents)) = bytes.split_first() else { return };
    for (index, (name, whole)) in RUN.files.iter().enumerate() {
        let path = RUN.folder.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder is made");
        fs::write(&path, if index == usize::from(*which) % RUN.files.len() { contents } else { whole }).expect("a file is written");
    }
    let _ = RUN.go_on(true);
    let _ = fs::remove_file(RUN.folder.join("log/identity/summary.json"));
});
