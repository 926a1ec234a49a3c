//! `ipcgan train`: faces in, weights out.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::{Context, Result};
use ipcgan::train::{Display, Ending, Interrupter, RunFolder, Session, Stage, TrainingConfig, TrainingData, train};

use crate::arguments::TrainArguments;
use crate::progress::Progress;
use crate::{answer, devices, report};

/// Names in the list of pictures that are left out, before it is cut short.
const SHOWN_LEFT_OUT: usize = 10;

pub(crate) fn run(arguments: &TrainArguments) -> Result<()> {
    let config = TrainingConfig::of(arguments.preset).with_settings(&arguments.settings)?;
    let run = RunFolder::create(&arguments.run)?;
    let device = devices::open(&arguments.device)?;
    let data = data(arguments, &config)?;
    let session = Session {
        device,
        display: display(arguments),
        interrupter: interrupted_by_control_c()?,
        resume: arguments.resume,
    };
    let stages = match arguments.stage {
        Some(stage) => vec![stage],
        None => Stage::ALL.to_vec(),
    };
    let ending = train(&config, &stages, &data, &run, &session)?;
    say_what_is_there(ending, &run);
    Ok(())
}

fn data(arguments: &TrainArguments, config: &TrainingConfig) -> Result<TrainingData> {
    let data = match &arguments.data {
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
        report(&format!("left out: {face}"));
    }
    if left_out.len() > SHOWN_LEFT_OUT {
        report(&format!("left out: {} more", left_out.len() - SHOWN_LEFT_OUT));
    }
}

fn display(arguments: &TrainArguments) -> Display {
    let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    match terminal && !arguments.plain {
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

fn say_what_is_there(ending: Ending, run: &RunFolder) {
    if let Ending::Interrupted { stage, step } = ending {
        report(&format!("stopped in the {stage} stage after step {step}; go on with the same command and --resume"));
        return;
    }
    if let Some(grid) = run.newest_sample() {
        report("sample grid (a row a face: source, then each age group):");
        answer(&grid.display().to_string());
    }
    let generator = run.weights("generator");
    if generator.exists() {
        report("age a photo with the new weights (--aligned, because it learned from face crops):");
        answer(&format!("{} age PHOTO --aligned --weights {}", program(), generator.display()));
    }
}

/// How the program was called: by cargo from a clone, or by its own name.
fn program() -> &'static str {
    match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --",
        None => "ipcgan",
    }
}
