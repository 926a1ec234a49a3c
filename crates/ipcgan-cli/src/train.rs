//! `ipcgan train`: faces in, weights out.

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail};
use ipcgan::DeviceChoice;
use ipcgan::model::Preset;
use ipcgan::train::{
    Display, EVENTS_FOLDER, Ending, Interrupter, LineSink, RunFolder, Session, Stage, StagePlan, Summary,
    TrainingConfig, TrainingData, plan, show_above_dashboard, span, train,
};

use crate::arguments::TrainArguments;
use crate::progress::Progress;
use crate::say::shows_progress;
use crate::unfinished::{Unfinished, misused};
use crate::{answer, answer_path, complain, devices, interrupt, report};

/// Names in the list of pictures that are left out, before it is cut short.
const SHOWN_LEFT_OUT: usize = 10;

pub(crate) fn run(arguments: &TrainArguments) -> Result<()> {
    let run = RunFolder::at(&arguments.run);
    if arguments.resume {
        run.check_resumable()?;
    }
    if !arguments.dry_run {
        run.check_usable()?;
    }
    let begun = arguments.resume || run.has_begun()?;
    let config = config(arguments, begun.then(|| run.config()).transpose()?.flatten())?;
    let devices = devices::open_all(&arguments.device, &arguments.kernels)?;
    let folder = match &arguments.data {
        None if begun => run.data_folder()?,
        folder => folder.as_deref().map(std::path::absolute).transpose()?,
    };
    let data = data(folder.as_deref(), &config)?;
    let device_memory = devices.iter().filter_map(DeviceChoice::memory).min();
    let display = display(arguments);
    let dashboard = matches!(display, Display::Dashboard);
    let notices = Notices::new();
    let session = Session {
        devices,
        display,
        notices: if dashboard { notices.later() } else { Arc::new(complain) },
        // A dry run has nothing to lose.
        interrupter: if arguments.dry_run { Interrupter::new() } else { interrupt::on_signals()? },
        resume: arguments.resume,
        device_memory,
    };
    let stages = match arguments.stage {
        Some(stage) => vec![stage],
        None => Stage::ALL.to_vec(),
    };
    if arguments.dry_run {
        return say_plan(&plan(&config, &stages, &data, &run, &session)?);
    }
    let ending = train(&config, &stages, &data, &run, &session);
    notices.say();
    Ok(say_what_is_there(ending?, &run)?)
}

/// The configuration of a new run, or that of the run in the folder, `begun`; settings that are named change it.
fn config(arguments: &TrainArguments, begun: Option<TrainingConfig>) -> Result<TrainingConfig> {
    let config = match (begun, arguments.preset) {
        (Some(begun), Some(preset)) if begun.preset != preset => {
            let begun = begun.preset;
            return Err(misused(format!(
                "the run in {} began with --preset {begun}, not {preset}; choose another folder with --run",
                arguments.run.display()
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
///
/// # Errors
/// The run cannot work here.
fn say_plan(stages: &[StagePlan]) -> Result<()> {
    let gpu = stages.iter().any(|plan| plan.device_memory > 0.0);
    let row = |cells: [String; 8]| {
        let [stage, rest @ ..] = cells;
        let shown = if gpu { &rest[..] } else { &rest[..rest.len() - 1] };
        let rest: String = shown.iter().map(|cell| format!("{cell:>12}")).collect();
        answer(&format!("{stage:<9}{rest}"));
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
            format!("{about}{}", span(plan.time.as_secs_f64())),
            format!("{about}{:.0} MB", plan.memory),
            format!("{about}{:.0} MB", plan.device_memory),
        ]);
    }
    let whole: f64 = stages.iter().map(|plan| plan.time.as_secs_f64()).sum();
    answer(&format!("all stages: {}", span(whole)));
    stages.iter().filter_map(|plan| plan.warning.as_ref()).for_each(|text| complain(&format!("warning: {text}")));
    match stages.iter().find_map(|plan| plan.impossible.clone()) {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
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

/// The dashboard where it can be shown, and where Ctrl-C works in it.
fn display(arguments: &TrainArguments) -> Display {
    let streams = [stdin().is_terminal(), stdout().is_terminal(), stderr().is_terminal()];
    let terminal = cfg!(unix) && streams == [true; 3];
    match terminal && !arguments.plain && shows_progress() {
        true => Display::Dashboard,
        false => Display::Lines(Arc::new(report)),
    }
}

/// Notices that come while the dashboard has the terminal: shown on top of it, and said again when it is gone.
struct Notices {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Notices {
    fn new() -> Self {
        Self { lines: Arc::default() }
    }

    fn later(&self) -> LineSink {
        let lines = self.lines.clone();
        Arc::new(move |line| {
            if show_above_dashboard(line) {
                lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
            } else {
                complain(line);
            }
        })
    }

    fn say(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|line| complain(&line));
    }
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
    if held_out.is_empty() {
        report("    nothing could be measured on them");
    }
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
    if !folder.join(format!("{best:06}")).is_dir() {
        return report(&format!("on held-out faces step {best} was better, but its checkpoint is gone"));
    }
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
