//! Dry run: time and memory of a training, measured on a few steps.

use std::time::Duration;

use ipcgan_kernels::release_freed_memory;
use ipcgan_system::catch_device_panic;

use crate::measure::Measured;
use crate::memory::{Fit, MemoryNeed, MemoryShortage, fit, min_memory};
use crate::session::Session;
use crate::stage::context::StageContext;
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError, preflight};

/// Pairs of small batch sizes per device from which larger ones are extrapolated; the first pair that certainly fits
/// is used.
const SMALL_BATCHES: [[usize; 2]; 3] = [[8, 32], [4, 8], [1, 2]];
/// Upper bound of the memory of a stage relative to its lower bound: besides activations there are gradients, and
/// copies in other layouts.
const MAX_OVER_MIN: f64 = 8.0;
/// Faces and seconds per step up to which a step is measured and not extrapolated.
const MEASURED_FACES: usize = 256;
const MEASURED_STEP: f64 = 5.0;

/// Estimated cost of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StagePlan {
    /// The stage.
    pub stage: Stage,
    /// Remaining steps.
    pub steps: usize,
    /// Faces per step, over all devices.
    pub faces_per_step: usize,
    /// Number of trainable parameters.
    pub parameters: usize,
    /// Time per step.
    pub step: Duration,
    /// Total time of steps, validations, checkpoints and sample grids.
    pub time: Duration,
    /// Peak memory of the process in megabytes, without GPU memory; zero if the system does not report it.
    pub memory: f64,
    /// Memory of each GPU in megabytes; zero for the CPU, and if the device does not report it.
    pub device_memory: f64,
    /// Whether time and memory are extrapolated from smaller batches.
    pub estimated: bool,
    /// Warning: the stage needs more memory than is free.
    pub warning: Option<MemoryShortage>,
    /// Error: the stage needs more memory than there is.
    pub impossible: Option<MemoryShortage>,
}

/// Runs a few steps of each of `stages` and estimates the cost of the whole training; nothing is written. Large
/// batches are extrapolated from small ones.
///
/// # Errors
/// Those of [`train`](crate::train) that occur before the first step.
pub fn plan(
    config: &TrainingConfig,
    stages: &[Stage],
    data: &TrainingData,
    run: &RunFolder,
    session: &Session,
) -> Result<Vec<StagePlan>, TrainingError> {
    run.check_usable()?;
    preflight::check(config, stages, data, run, session)?;
    let of = |&stage: &Stage| {
        let done = run.checkpoint_step(stage)?.unwrap_or(0);
        stage_plan(&StageContext::planned(config, stage, data, run, session)?, done)
    };
    stages.iter().map(of).collect()
}

/// Cost of the stage after `done` steps.
fn stage_plan(context: &StageContext, done: usize) -> Result<StagePlan, TrainingError> {
    if let Fit::TooLarge(shortage) = fit(context, min_memory(context)) {
        return Err(TrainingError::Memory(shortage));
    }
    let (measured, estimated) = measured_or_estimated(context)?;
    let steps = context.settings().steps.saturating_sub(done);
    let config = &context.config;
    let validations = config.validations.min(steps);
    let batches = context.data.valid().len().div_ceil(context.settings().batch_size);
    let learning = measured.step * steps as f64;
    let by_time = (learning / (60.0 * config.checkpoint_minutes)) as usize;
    let checkpoints = validations + (steps / config.checkpoint_every).max(by_time);
    let samples = context.settings().sample_every.map_or(0, |every| steps / every + 1);
    let time = learning
        + measured.validation * (batches * validations) as f64
        + measured.checkpoint * checkpoints as f64
        + measured.sample * samples as f64;
    let (warning, impossible) = match fit(context, measured.memory) {
        Fit::Fits => (None, None),
        Fit::Tight(shortage) => (Some(shortage), None),
        Fit::TooLarge(shortage) => (None, Some(shortage)),
    };
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Ok(StagePlan {
        stage: context.stage,
        steps,
        faces_per_step: context.faces_per_step(),
        parameters: measured.parameters,
        step: seconds(measured.step),
        time: seconds(time),
        memory: measured.memory.host / 1e6,
        device_memory: measured.memory.device / 1e6,
        estimated,
        warning,
        impossible,
    })
}

/// Memory of the stage, extrapolated from small batches.
pub(crate) fn estimated_memory(context: &StageContext) -> Result<MemoryNeed, TrainingError> {
    let min = min_memory(context);
    // Do not try what cannot fit.
    if matches!(fit(context, min), Fit::TooLarge(_)) {
        return Ok(min);
    }
    Ok(estimated(context)?.memory)
}

/// Measured cost of the stage, or extrapolated from smaller batches (true).
fn measured_or_estimated(context: &StageContext) -> Result<(Measured, bool), TrainingError> {
    let largest = SMALL_BATCHES[0][1] * context.device_group.count();
    let small = context.settings().batch_size <= largest && context.settings().gradient_accumulation == 1;
    if small && surely_fits(context) {
        return Ok((measured(context)?, false));
    }
    let estimated = estimated(context)?;
    let fits = matches!(fit(context, estimated.memory), Fit::Fits);
    if fits && context.faces_per_step() <= MEASURED_FACES && estimated.step <= MEASURED_STEP {
        Ok((measured(context)?, false))
    } else {
        Ok((estimated, true))
    }
}

fn estimated(context: &StageContext) -> Result<Measured, TrainingError> {
    let batch = context.settings().batch_size;
    let sizes = SMALL_BATCHES.map(|sizes| sizes.map(|faces| (faces * context.device_group.count()).min(batch)));
    let safe = sizes.iter().find(|[_, more]| surely_fits(&context.with_batches_of(*more)));
    let [few, more] = *safe.unwrap_or(&sizes[sizes.len() - 1]);
    let measured = |batch| Ok::<_, TrainingError>((batch, measured(&context.with_batches_of(batch))?));
    // The first run allocates memory that is never released, which would count as that of its batch.
    let _ = measured(few)?;
    let (small, large) = (measured(few)?, measured(more)?);
    let mut estimated = if few == more { large.1 } else { Measured::extrapolated(small, large, batch) };
    estimated.step *= context.settings().gradient_accumulation as f64;
    let min = min_memory(context);
    let bounded = |estimate: f64, measured: f64, min: f64| estimate.clamp(min, measured + MAX_OVER_MIN * min);
    let MemoryNeed { host, device } = estimated.memory;
    estimated.memory.host = bounded(host, large.1.memory.host, min.host);
    estimated.memory.device = bounded(device, large.1.memory.device, min.device);
    Ok(estimated)
}

/// Whether even the upper bound of its memory is free.
fn surely_fits(context: &StageContext) -> bool {
    let MemoryNeed { host, device } = min_memory(context);
    matches!(fit(context, MemoryNeed { host: MAX_OVER_MIN * host, device: MAX_OVER_MIN * device }), Fit::Fits)
}

fn measured(context: &StageContext) -> Result<Measured, TrainingError> {
    let measured = || context.stage.definition().measure(context);
    release_freed_memory();
    context.device().memory_cleanup();
    let measured = catch_device_panic(measured).unwrap_or_else(|reason| {
        // The batch is that of a trial, not the user's.
        Err(TrainingError::Device { step: 1, reason, checkpoint: None, retry: None })
    });
    release_freed_memory();
    measured
}
