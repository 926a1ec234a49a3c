//! `ipcgan evaluate`: weights and held-out faces in, a report out.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ipcgan::data::{FaceSet, Split, Subset, open_faces};
use ipcgan::model::{AlexNet, weights, write_whole};
use ipcgan::train::RunFolder;
use ipcgan::train::evaluation::{Judges, Metrics, report};
use ipcgan::{Device, FaceAging};

use crate::arguments::EvaluateArguments;
use crate::progress::Progress;
use crate::weights::face_aging;
use crate::{answer_path, devices, report as tell};

pub(crate) fn run(arguments: &EvaluateArguments) -> Result<()> {
    let device = devices::open(&arguments.device)?;
    let named = arguments.weights.as_ref().map(|path| match path.is_dir() {
        true => RunFolder::at(path).weights("generator"),
        false => path.clone(),
    });
    let face_aging = face_aging(named.as_deref(), &device)?;
    let weights = named.map_or("the weights that come with the program".into(), |path| path.display().to_string());
    let judges = Judges::load(&arguments.judges, &device)
        .context("the networks that judge are in assets/judges of the repository; name their folder with --judges")?;
    let faces = held_out(&arguments.data, &face_aging)?;
    let alexnet = teacher(arguments, &device)?;
    let progress = Progress::new("evaluating");
    let evaluation =
        face_aging.evaluate(&faces, arguments.faces, &judges, alexnet.as_ref(), &|done, all| progress.show(done, all));
    progress.finish();
    let evaluation = evaluation?;

    fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let page = report(&evaluation, &weights, &arguments.data.display().to_string());
    let metrics = serde_json::to_string_pretty(&evaluation.metrics)?;
    for (name, text) in [("index.html", page), ("metrics.json", metrics)] {
        let path = arguments.out.join(name);
        write_whole(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    say(&evaluation.metrics);
    answer_path(&arguments.out.join("index.html"));
    Ok(())
}

/// The network that the generator learned from: the one that is named, or that of the run.
fn teacher(arguments: &EvaluateArguments, device: &Device) -> Result<Option<AlexNet>> {
    let of_run = || {
        let run = arguments.weights.as_ref().filter(|path| path.is_dir())?;
        Some(RunFolder::at(run).weights("alexnet")).filter(|path| path.exists())
    };
    let Some(path) = arguments.alexnet.clone().or_else(of_run) else { return Ok(None) };
    Ok(Some(weights::load::<AlexNet>(&path, device)?.network))
}

/// The faces of `folder` on its strictest side that is held out.
fn held_out(folder: &Path, face_aging: &FaceAging) -> Result<Subset> {
    let (faces, left_out) = open_faces(folder, face_aging.age_groups())?;
    if !left_out.is_empty() {
        tell(&format!("left out: {} rows that cannot be used", left_out.len()));
    }
    for split in [Split::Test, Split::Valid] {
        let side = Subset::filter(faces.clone(), |label| label.split == Some(split) && label.group.is_some());
        if !side.is_empty() {
            tell(&format!("{} faces of known age are held out ({split})", side.len()));
            return Ok(side);
        }
    }
    bail!("no face of {} has the split test or valid; `ipcgan prepare` gives each one", folder.display())
}

/// The numbers that matter most.
fn say(metrics: &Metrics) {
    let value = |interval: &Option<_>| {
        interval.map_or("-".into(), |interval: ipcgan::train::evaluation::Interval| format!("{:.3}", interval.value))
    };
    tell(&format!("{:<32}{:>16}{:>12}{:>14}{:>12}", "", "in target group", "years off", "verified 1e-2", "sharpness"));
    tell(&format!("{:<32}{:>16}", "real faces, own group", value(&metrics.real.accuracy)));
    for method in &metrics.methods {
        tell(&format!(
            "{:<32}{:>16}{:>12.1}{:>14}{:>12}",
            method.name,
            value(&method.accuracy),
            method.years_off,
            value(&method.verified[0]),
            value(&method.sharpness),
        ));
    }
}
