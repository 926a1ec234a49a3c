//! `ipcgan evaluate`: evaluates a generator on held-out faces and writes a report.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use ipcgan::data::{DataError, FaceSet, Split, Subset, open_faces};
use ipcgan::model::{AlexNet, weights};
use ipcgan::system::write_atomic;
use ipcgan::train::evaluation::{Interval, Metrics, report};
use ipcgan::train::{GeneratorSource, TrainingError};
use ipcgan::{Device, FaceAging};
use log::info;

use crate::arguments::EvaluateArguments;
use crate::judges::JudgesSource;
use crate::progress::Progress;
use crate::weights::{face_aging_of, source};
use crate::{devices, print_path};

pub(crate) fn run(arguments: &EvaluateArguments) -> Result<()> {
    // Check inputs before devices are opened and anything large is read.
    if !arguments.data.is_dir() {
        return Err(DataError::MissingFolder { path: arguments.data.clone() }.into());
    }
    let source = arguments.weights.as_deref().map(source).transpose()?;
    let judges = JudgesSource::find(arguments.judges.as_deref())?;
    let device = devices::open(&arguments.device)?;
    let face_aging = match &source {
        Some(source) => face_aging_of(source, &device)?,
        None => FaceAging::embedded(&device)?,
    };
    let (faces, known) = faces(&arguments.data, &face_aging)?;
    let alexnet = teacher(arguments, source.as_ref(), &device)?;
    let judges = judges.load(&device)?;
    let weights = source.map_or("the weights that ship with the program".into(), |source| match source {
        GeneratorSource::File(path) | GeneratorSource::Checkpoint(path) => path.display().to_string(),
    });
    let progress = Progress::new("evaluating");
    let evaluation =
        face_aging.evaluate(&faces, &known, arguments.max_faces, &judges, alexnet.as_ref(), &|done, all| {
            progress.show(done, all)
        });
    progress.finish();
    let evaluation = evaluation?;

    fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let page = report(&evaluation, &weights, &arguments.data.display().to_string());
    let metrics = serde_json::to_string_pretty(&evaluation.metrics)?;
    for (name, text) in [("index.html", page), ("metrics.json", metrics)] {
        let path = arguments.out.join(name);
        write_atomic(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print_metrics(&evaluation.metrics);
    info!("{}", evaluation.metrics.verdict);
    print_path(&arguments.out.join("index.html"));
    Ok(())
}

/// The AlexNet that the generator was trained with: the given one, or that of the run.
fn teacher(
    arguments: &EvaluateArguments,
    source: Option<&GeneratorSource>,
    device: &Device,
) -> Result<Option<AlexNet>> {
    let of_run = || Some(source?.run()?.weights("alexnet")).filter(|path| path.exists());
    let Some(path) = arguments.alexnet.clone().or_else(of_run) else { return Ok(None) };
    Ok(Some(weights::load::<AlexNet>(&path, device)?.network))
}

/// The test split of `folder`, or the validation split if there is none, and the training split (the held-out faces
/// if it is empty).
fn faces(folder: &Path, face_aging: &FaceAging) -> Result<(Subset, Subset)> {
    let (faces, excluded) = open_faces(folder, face_aging.age_groups())?;
    if !excluded.is_empty() {
        info!("skipped {} unusable rows", excluded.len());
    }
    for split in [Split::Test, Split::Valid] {
        let side = Subset::filter(faces.clone(), |label| label.split == Some(split) && label.group.is_some());
        if side.len() == 1 {
            return Err(TrainingError::TooFewFaces { found: 1 }.into());
        }
        if !side.is_empty() {
            info!("{} held-out faces of known age ({split} split)", side.len());
            let known =
                Subset::filter(faces.clone(), |label| label.split == Some(Split::Train) && label.group.is_some());
            let known = if known.is_empty() { side.clone() } else { known };
            return Ok((side, known));
        }
    }
    bail!("no face of {} is in the split test or valid; `ipcgan prepare` creates the splits", folder.display())
}

/// Prints the main metrics as a table.
fn print_metrics(metrics: &Metrics) {
    let value = |interval: &Option<Interval>| {
        interval.map_or("not defined".into(), |interval: Interval| format!("{:.3}", interval.value))
    };
    let row = |cells: [&str; 5]| {
        let [name, rest @ ..] = cells;
        let rest = rest.map(|cell| format!("{cell:>26}")).concat();
        info!("{name:<34}{rest}");
    };
    row(["", "in target group", "mean age error (years)", "verification rate 1e-2", "Laplacian variance ratio"]);
    row(["real faces, own group", &value(&metrics.real.accuracy), "0", "", "1"]);
    for method in &metrics.methods {
        row([
            &method.name,
            &value(&method.accuracy),
            &method.mean_age_error.map_or("not defined".into(), |error| format!("{error:.1}")),
            &value(&method.verification_rate[0]),
            &value(&method.laplacian_variance_ratio),
        ]);
    }
    if metrics.real.thresholds[0].is_none() {
        let pairs = metrics.real.impostor_pairs;
        info!(
            "not defined: the verification rate, because {pairs} pairs of different identities are too few for a threshold"
        );
    }
}
