//! `ipcgan evaluate`: evaluates a generator on held-out faces and writes a report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ipcgan::data::{DataError, FaceSet, Split, Subset, counted, open_faces};
use ipcgan::model::{AlexNet, weights};
use ipcgan::system::write_atomic;
use ipcgan::train::evaluation::{Interval, Metrics, report};
use ipcgan::train::{GeneratorSource, TrainingError};
use ipcgan::{Device, DeviceChoice, FaceAging};
use log::{info, warn};
use serde::Serialize;

use crate::devices;
use crate::judges::JudgesSource;
use crate::output::print_path;
use crate::progress::Progress;
use crate::request::{optional_path, path, text};
use crate::weights::{face_aging_of, source};

/// What `ipcgan evaluate` does.
#[derive(Debug, Serialize)]
pub(crate) struct EvaluateRequest {
    /// Where the generator is; `None` for the embedded weights.
    #[serde(serialize_with = "optional_path")]
    pub(crate) weights: Option<PathBuf>,
    #[serde(serialize_with = "path")]
    pub(crate) data: PathBuf,
    #[serde(serialize_with = "path")]
    pub(crate) out: PathBuf,
    /// Maximum number of faces.
    pub(crate) max_faces: usize,
    /// The AlexNet that the generator was trained with; `None` for that of the run.
    #[serde(serialize_with = "optional_path")]
    pub(crate) alexnet: Option<PathBuf>,
    /// Folder with the evaluation networks; `None` to search for them.
    #[serde(serialize_with = "optional_path")]
    pub(crate) judges: Option<PathBuf>,
    #[serde(serialize_with = "text")]
    pub(crate) device: DeviceChoice,
}

pub(crate) fn run(request: &EvaluateRequest) -> Result<()> {
    // Check inputs before devices are opened and anything large is read.
    if !request.data.is_dir() {
        return Err(DataError::MissingFolder { path: request.data.clone() }.into());
    }
    let source = request.weights.as_deref().map(source).transpose()?;
    let judges = JudgesSource::find(request.judges.as_deref())?;
    let device = devices::open(&request.device)?;
    let face_aging = match &source {
        Some(source) => face_aging_of(source, &device)?,
        None => FaceAging::embedded(&device)?,
    };
    let (faces, known) = faces(&request.data, &face_aging)?;
    let alexnet = teacher(request, source.as_ref(), &device)?;
    let judges = judges.load(&device)?;
    let weights = source.map_or("the weights that ship with the program".into(), |source| match source {
        GeneratorSource::File(path) | GeneratorSource::Checkpoint(path) => path.display().to_string(),
    });
    let progress = Progress::new("evaluating");
    let evaluation = face_aging
        .evaluate(&faces, &known, request.max_faces, &judges, alexnet.as_ref(), &|done, all| progress.show(done, all));
    progress.finish();
    let evaluation = evaluation?;

    fs::create_dir_all(&request.out).with_context(|| format!("cannot create the folder {}", request.out.display()))?;
    let page = report(&evaluation, &weights, &request.data.display().to_string());
    let metrics = serde_json::to_string_pretty(&evaluation.metrics)?;
    for (name, text) in [("index.html", page), ("metrics.json", metrics)] {
        let path = request.out.join(name);
        write_atomic(&path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print_metrics(&evaluation.metrics);
    info!("{}", evaluation.metrics.all.verdict);
    print_path(&request.out.join("index.html"));
    Ok(())
}

/// The AlexNet that the generator was trained with: the given one, or that of the run; `None` if there is neither.
fn teacher(request: &EvaluateRequest, source: Option<&GeneratorSource>, device: &Device) -> Result<Option<AlexNet>> {
    let of_run = || Some(source?.run()?.weights("alexnet")).filter(|path| path.exists());
    let Some(path) = request.alexnet.clone().or_else(of_run) else { return Ok(None) };
    Ok(Some(weights::load::<AlexNet>(&path, device)?.network))
}

/// The test split of `folder`, or the validation split if there is none, and the training split (the held-out faces
/// if it is empty).
fn faces(folder: &Path, face_aging: &FaceAging) -> Result<(Subset, Subset)> {
    let (faces, excluded) = open_faces(folder, face_aging.age_groups())?;
    if let Some(first) = excluded.first() {
        warn!("skipped {}, such as {first}", counted(excluded.len(), "unusable row", "unusable rows"));
    }
    for split in [Split::Test, Split::Valid] {
        let held_out = Subset::filter(faces.clone(), |label| label.split == Some(split) && label.group.is_some());
        if held_out.len() == 1 {
            return Err(TrainingError::TooFewFaces { found: 1 }.into());
        }
        if !held_out.is_empty() {
            info!("{} held-out faces of known age ({split} split)", held_out.len());
            let known =
                Subset::filter(faces.clone(), |label| label.split == Some(Split::Train) && label.group.is_some());
            let known = if known.is_empty() { held_out.clone() } else { known };
            return Ok((held_out, known));
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
    row(["real faces, own group", &value(&metrics.all.real.accuracy), "0", "", "1"]);
    for method in &metrics.all.methods {
        row([
            &method.name,
            &value(&method.accuracy),
            &method.mean_age_error.map_or("not defined".into(), |error| format!("{error:.1}")),
            &value(&method.verification_rate[0]),
            &value(&method.laplacian_variance_ratio),
        ]);
    }
    if metrics.all.real.thresholds[0].is_none() {
        let pairs = metrics.all.real.impostor_pairs;
        info!(
            "not defined: the verification rate, because {pairs} pairs of different identities are too few for a \
             threshold"
        );
    }
}
