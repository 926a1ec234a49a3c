//! `ipcgan train`: trains the networks.

mod request;
mod settings;

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use ipcgan::DeviceChoice;
use ipcgan::train::{
    Display, Interrupter, RunFolder, Session, Stage, StagePlan, Summary, TENSORBOARD_FOLDER, TrainingConfig,
    TrainingData, TrainingOutcome, human_duration, plan, train,
};
use log::{info, warn};

use crate::exit_reason::ExitReason;
use crate::output::{print_covered_messages, print_line, print_path, shows_progress};
use crate::progress::Progress;
use crate::recogniser;
use crate::{devices, interrupt};
pub(crate) use request::{ProgressDisplay, TrainRequest};
use settings::config;

/// Maximum number of excluded images that are listed.
const MAX_EXCLUDED_LINES: usize = 10;

pub(crate) fn run(request: &TrainRequest) -> Result<()> {
    let run = RunFolder::at(&request.run);
    if request.resume {
        run.check_resumable()?;
    }
    if !request.dry_run {
        run.check_usable()?;
    }
    let existing = request.resume || run.has_started()?;
    let config = config(request, existing.then(|| run.config()).transpose()?.flatten())?;
    let devices = devices::open_all(&request.devices)?;
    let folder = match &request.data {
        None if existing => run.data_folder()?,
        folder => folder.as_deref().map(std::path::absolute).transpose()?,
    };
    let data = data(folder.as_deref(), &config)?;
    let device_memory = devices.iter().filter_map(DeviceChoice::memory).min();
    let session = Session {
        devices,
        display: display(request),
        // A dry run has nothing to save.
        interrupter: match request.dry_run {
            true => Interrupter::new(),
            false => interrupt::interrupter_on_signal("stopping after this step with a checkpoint")?,
        },
        resume: request.resume,
        device_memory,
        recogniser: recogniser::find(request.recogniser.as_deref()),
    };
    if request.dry_run {
        return print_plan(&plan(&config, &request.stages, &data, &run, &session)?);
    }
    let outcome = train(&config, &request.stages, &data, &run, &session);
    print_covered_messages();
    Ok(print_results(outcome?, &run)?)
}

/// Prints the estimated cost of each stage as a table.
///
/// # Errors
/// A stage cannot run on this machine.
fn print_plan(stages: &[StagePlan]) -> Result<()> {
    let gpu = stages.iter().any(|plan| plan.device_memory > 0.0);
    let row = |cells: [String; 8]| {
        let [stage, rest @ ..] = cells;
        let shown = if gpu { &rest[..] } else { &rest[..rest.len() - 1] };
        let rest: String = shown.iter().map(|cell| format!("{cell:>12}")).collect();
        print_line(&format!("{stage:<9}{rest}"));
    };
    row(["stage", "parameters", "faces/step", "time/step", "steps", "time", "memory", "GPU memory"].map(String::from));
    for plan in stages {
        let about = if plan.estimated { "~" } else { "" };
        row([
            plan.stage.to_string(),
            format!("{:.2} M", plan.parameters as f64 / 1e6),
            plan.faces_per_step.to_string(),
            format!("{about}{:.3} s", plan.step.as_secs_f64()),
            plan.steps.to_string(),
            format!("{about}{}", human_duration(plan.time.as_secs_f64())),
            format!("{about}{:.0} MB", plan.memory),
            format!("{about}{:.0} MB", plan.device_memory),
        ]);
    }
    let whole: f64 = stages.iter().map(|plan| plan.time.as_secs_f64()).sum();
    print_line(&format!("all stages: {}", human_duration(whole)));
    stages.iter().filter_map(|plan| plan.warning.as_ref()).for_each(|text| warn!("{text}"));
    match stages.iter().find_map(|plan| plan.impossible.clone()) {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

fn data(folder: Option<&Path>, config: &TrainingConfig) -> Result<TrainingData> {
    let data = match folder {
        None => {
            let progress = Progress::new("rendering synthetic faces");
            let data = TrainingData::synthetic(config, &|done, all| progress.show(done, all));
            progress.finish();
            data?
        }
        Some(folder) => {
            let progress = Progress::new("reading faces");
            let data = TrainingData::prepared(folder, config, &|done, all| progress.show(done, all));
            progress.finish();
            let (data, excluded) = data?;
            print_excluded(&excluded);
            data
        }
    };
    info!("{} training faces, {} validation faces of other identities", data.train().len(), data.valid().len());
    Ok(data)
}

fn print_excluded(excluded: &[ipcgan::data::Excluded]) {
    for face in excluded.iter().take(MAX_EXCLUDED_LINES) {
        warn!("left out: {face}");
    }
    if excluded.len() > MAX_EXCLUDED_LINES {
        warn!("left out: {} more", excluded.len() - MAX_EXCLUDED_LINES);
    }
}

/// The dashboard if the terminal supports it, else plain lines.
fn display(request: &TrainRequest) -> Display {
    let streams = [stdin().is_terminal(), stdout().is_terminal(), stderr().is_terminal()];
    let terminal = cfg!(unix) && streams == [true; 3];
    match terminal && request.progress_display == ProgressDisplay::DashboardIfPossible && shows_progress() {
        true => Display::Dashboard,
        false => Display::Lines(Arc::new(|line| info!("{line}"))),
    }
}

fn print_results(outcome: TrainingOutcome, run: &RunFolder) -> Result<(), ExitReason> {
    match outcome {
        TrainingOutcome::Interrupted { stage, step } => {
            let advice = "continue with the same command and --resume";
            return Err(ExitReason::Stopped(format!("stopped in the {stage} stage after step {step}; {advice}")));
        }
        TrainingOutcome::Completed(summaries) => {
            summaries.iter().for_each(print_summary);
            summaries.iter().for_each(|summary| print_best_checkpoint(summary, run));
        }
    }
    info!(
        "plots: {}; TensorBoard: tensorboard --logdir {}",
        run.path().join("plots").display(),
        run.path().join(TENSORBOARD_FOLDER).display()
    );
    if let Some(grid) = run.newest_sample() {
        info!("sample grid (one row per face: source, then each age group):");
        print_path(&grid);
    }
    let generator = run.weights("generator");
    if generator.exists() {
        info!("age a photo with the new weights:");
        print_line(&format!("{} age PHOTO --weights {}", program(), generator.display()));
    }
    Ok(())
}

/// One line per metric, because names are long.
fn print_summary(summary: &Summary) {
    let Summary { stage, steps, train_faces, valid_faces, held_out, stopped_early, best_step: _ } = summary;
    let early = if *stopped_early { " (early stopping)" } else { "" };
    info!("{stage}: {steps} steps{early} on {train_faces} faces; metrics on {valid_faces} held-out faces:");
    if held_out.is_empty() {
        info!("    no metric is defined");
    }
    for (name, value) in held_out {
        info!("    {name:<20} {value:.3}");
    }
}

/// Reports the best checkpoint of the generator, if it is not the last one.
fn print_best_checkpoint(summary: &Summary, run: &RunFolder) {
    let Some(best) = summary.best_step.filter(|best| *best < summary.steps && summary.stage == Stage::Aging.name())
    else {
        return;
    };
    let folder = run.path().join("checkpoints").join(&summary.stage);
    if !folder.join(format!("{best:06}")).is_dir() {
        return info!("step {best} was better on held-out faces, but its checkpoint is missing");
    }
    info!(
        "the weights are those of the last step; step {best} was better on held-out faces: `{} convert {} \
         best.safetensors` extracts its generator",
        program(),
        folder.display()
    );
}

/// How the program was started: by cargo from a clone, or by its own name.
fn program() -> &'static str {
    match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --",
        None => "ipcgan",
    }
}
