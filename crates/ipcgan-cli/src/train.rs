//! `ipcgan train`: faces in, weights out.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use ipcgan::model::Preset;
use ipcgan::train::{
    Display, EVENTS_FOLDER, Ending, Interrupter, RunFolder, Session, Stage, StagePlan, Summary, TrainingConfig,
    TrainingData, plan, span, train,
};

use crate::arguments::TrainArguments;
use crate::progress::Progress;
use crate::say::shows_progress;
use crate::unfinished::{Unfinished, misused};
use crate::{answer, answer_path, complain, devices, report};

/// Names in the list of pictures that are left out, before it is cut short.
const SHOWN_LEFT_OUT: usize = 10;

pub(crate) fn run(arguments: &TrainArguments) -> Result<()> {
    let run = match arguments.dry_run {
        true => RunFolder::at(&arguments.run),
        false => RunFolder::create(&arguments.run)?,
    };
    let config = config(arguments, &run)?;
    let devices = devices::open_all(&arguments.device, &arguments.kernels)?;
    let folder = match (&arguments.data, arguments.resume) {
        (None, true) => run.data_folder()?,
        (folder, _) => folder.as_deref().map(std::path::absolute).transpose()?,
    };
    let data = data(folder.as_deref(), &config)?;
    let session = Session {
        devices,
        display: display(arguments),
        notices: Arc::new(complain),
        interrupter: interrupted_by_control_c()?,
        resume: arguments.resume,
    };
    let stages = match arguments.stage {
        Some(stage) => vec![stage],
        None => Stage::ALL.to_vec(),
    };
    if arguments.dry_run {
        say_plan(&plan(&config, &stages, &data, &run, &session)?);
        return Ok(());
    }
    let ending = train(&config, &stages, &data, &run, &session)?;
    Ok(say_what_is_there(ending, &run)?)
}

/// The configuration of a new run, or the one that the run began with; settings that are named change it.
fn config(arguments: &TrainArguments, run: &RunFolder) -> Result<TrainingConfig> {
    let begun = if arguments.resume { run.config()? } else { None };
    let config = match (begun, arguments.preset) {
        (Some(begun), Some(preset)) if begun.preset != preset => {
            let begun = begun.preset;
            return Err(misused(format!(
                "the run began with --preset {begun}, not {preset}; choose another folder with --run"
            )));
        }
        (Some(begun), _) => begun,
        (None, preset) => TrainingConfig::of(preset.unwrap_or(Preset::Tiny)),
    };
    let seed = arguments.seed.map(|seed| format!("seed={seed}"));
    let settings: Vec<_> = seed.into_iter().chain(arguments.settings.iter().cloned()).collect();
    config.with_settings(&settings).map_err(misused)
}

/// A table of what the run would take, on standard output.
fn say_plan(stages: &[StagePlan]) {
    let row = |cells: [String; 7]| {
        let [stage, rest @ ..] = cells;
        let rest = rest.map(|cell| format!("{cell:>12}")).concat();
        answer(&format!("{stage:<9}{rest}"));
    };
    row(["stage", "parameters", "faces/step", "time/step", "steps", "time", "memory"].map(String::from));
    for plan in stages {
        row([
            plan.stage.to_string(),
            format!("{:.2} M", plan.parameters as f64 / 1e6),
            plan.faces_per_step.to_string(),
            format!("{:.3} s", plan.step.as_secs_f64()),
            plan.steps.to_string(),
            span(plan.time.as_secs_f64()),
            format!("{:.0} MB", plan.memory),
        ]);
    }
    let whole: f64 = stages.iter().map(|plan| plan.time.as_secs_f64()).sum();
    answer(&format!("all stages: {}, checkpoints and sample grids apart", span(whole)));
}

fn data(folder: Option<&Path>, config: &TrainingConfig) -> Result<TrainingData> {
    let data = match folder {
        None => {
            let progress = Progress::new("drawing faces");
            let data = TrainingData::synthetic(config, &|done, all| progress.show(done, all));
            progress.finish();
            data?
        }
        Some(folder) => {
            let progress = Progress::new("reading faces");
            let data = TrainingData::prepared(folder, config, &|done, all| progress.show(done, all));
            progress.finish();
            let (data, left_out) = data?;
            say_what_is_left_out(&left_out);
            data
        }
    };
    report(&format!(
        "{} faces to learn from, {} of other people to validate on",
        data.train().len(),
        data.valid().len()
    ));
    Ok(data)
}

fn say_what_is_left_out(left_out: &[ipcgan::data::LeftOut]) {
    for face in left_out.iter().take(SHOWN_LEFT_OUT) {
        complain(&format!("left out: {face}"));
    }
    if left_out.len() > SHOWN_LEFT_OUT {
        complain(&format!("left out: {} more", left_out.len() - SHOWN_LEFT_OUT));
    }
}

fn display(arguments: &TrainArguments) -> Display {
    let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    match terminal && !arguments.plain && shows_progress() {
        true => Display::Dashboard,
        false => Display::Lines(Arc::new(report)),
    }
}

/// The first Ctrl-C asks for a checkpoint and a clean end; the second one ends at once.
fn interrupted_by_control_c() -> Result<Interrupter> {
    let interrupter = Interrupter::new();
    let handle = interrupter.clone();
    ctrlc::set_handler(move || {
        if handle.should_stop() {
            std::process::exit(130);
        }
        report("stopping after this step, with a checkpoint; once more to stop at once");
        handle.stop(Some("interrupted"));
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(interrupter)
}

fn say_what_is_there(ending: Ending, run: &RunFolder) -> Result<(), Unfinished> {
    match ending {
        Ending::Interrupted { stage, step } => {
            let go_on = "go on with the same command and --resume";
            return Err(Unfinished::Stopped(format!("stopped in the {stage} stage after step {step}; {go_on}")));
        }
        Ending::Finished(summaries) => {
            summaries.iter().for_each(say_what_was_learned);
            summaries.iter().for_each(|summary| say_best_checkpoint(summary, run));
        }
    }
    report(&format!(
        "curves: {}; in TensorBoard: tensorboard --logdir {}",
        run.path().join("plots").display(),
        run.path().join(EVENTS_FOLDER).display()
    ));
    if let Some(grid) = run.newest_sample() {
        report("sample grid (a row a face: source, then each age group):");
        answer_path(&grid);
    }
    let generator = run.weights("generator");
    if generator.exists() {
        report("age a photo with the new weights:");
        answer(&format!("{} age PHOTO --weights {}", program(), generator.display()));
    }
    Ok(())
}

/// A line a number, because names are long.
fn say_what_was_learned(summary: &Summary) {
    let Summary { stage, steps, train_faces, valid_faces, held_out, stopped_early, best_step: _ } = summary;
    let early = if *stopped_early { ", when nothing became better any more" } else { "" };
    report(&format!("{stage}: {steps} steps on {train_faces} faces{early}; on {valid_faces} faces of other people"));
    for (name, value) in held_out {
        report(&format!("    {name:<20} {value:.3}"));
    }
}

/// Which checkpoint is the best generator, if that is not the last one.
fn say_best_checkpoint(summary: &Summary, run: &RunFolder) {
    let Some(best) = summary.best_step.filter(|best| *best < summary.steps && summary.stage == Stage::Aging.name())
    else {
        return;
    };
    let folder = run.path().join("checkpoints").join(&summary.stage);
    report(&format!(
        "the weights are those of the last step; on held-out faces step {best} was better, and `{} convert {} best.safetensors` writes \
         its generator",
        program(),
        folder.display()
    ));
}

/// How the program was called: by cargo from a clone, or by its own name.
fn program() -> &'static str {
    match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --",
        None => "ipcgan",
    }
}
