//! Trains on a prepared folder; without an argument, it first writes one with synthetic faces.
//!
//! `cargo run --release --example train_on_folder -- FACES RUN`
//!
//! FACES contains images and `metadata.csv` with the columns `file_name`, `age` and, if known, `identity`.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use ipcgan::data::preparation::{PreparationConfig, PrepareOptions, prepare};
use ipcgan::data::{SyntheticConfig, SyntheticFaces};
use ipcgan::train::{Display, Interrupter, Preset, RunFolder, Session, Stage, TrainingConfig, TrainingData, train};
use ipcgan::{AgeGroups, DeviceChoice};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(PathBuf::from);
    let faces = match arguments.next() {
        Some(folder) => folder,
        None => synthetic_faces()?,
    };
    let run = RunFolder::at(&arguments.next().unwrap_or("run".into()));

    let settings = ["identity.steps=40", "age.steps=40", "aging.steps=20"].map(String::from);
    let config = TrainingConfig::of(Preset::Tiny).with_settings(&settings)?;
    let (data, excluded) = TrainingData::prepared(&faces, &config, &|_, _| {})?;
    excluded.iter().for_each(|face| println!("left out: {face}"));

    let session = Session {
        devices: vec![DeviceChoice::Auto.resolve()?],
        display: Display::Lines(Arc::new(|line| println!("{line}"))),
        interrupter: Interrupter::new(),
        resume: false,
        device_memory: None,
        recogniser: None,
    };
    train(&config, &Stage::ALL, &data, &run, &session)?;
    println!("everything is in {}", run.path().display());
    Ok(())
}

/// A small example of a prepared folder.
fn synthetic_faces() -> Result<PathBuf, Box<dyn Error>> {
    let folder = std::env::temp_dir().join("ipcgan-synthetic-faces");
    let faces = SyntheticFaces::new(SyntheticConfig::new().with_identities(30), &AgeGroups::default());
    let config = PreparationConfig::new("synthetic".into()).with_size(64);
    prepare(&faces, Vec::new(), &folder, &config, &PrepareOptions::default())?;
    println!("synthetic faces are in {}", folder.display());
    Ok(folder)
}
