//! Dry run: time and memory of a training, measured on a few steps.

use std::time::Duration;

use ipcgan_kernels::release_freed_memory;
use ipcgan_system::catch_device_panic;

use crate::config::LoopSettings;
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
    /// Mean time of the remaining steps; of a full step if there are none.
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
    let settings = context.loop_settings();
    let remaining = RemainingSteps::of(&settings, done);
    let steps = remaining.pretraining + remaining.full;
    let (measured, mut estimated) = measured_or_estimated(&full_steps(context))?;
    let mut learning = measured.step * remaining.full as f64;
    if remaining.pretraining > 0 {
        let (pretraining, extrapolated) = measured_or_estimated(&context.with_pretraining_steps(settings.steps))?;
        learning += pretraining.step * remaining.pretraining as f64;
        estimated |= extrapolated;
    }
    let config = &context.config;
    let validations = config.validations.min(steps);
    let batches = context.data.valid().len().div_ceil(settings.batch_size);
    let by_time = (learning / (60.0 * config.checkpoint_minutes)) as usize;
    let checkpoints = validations + (steps / config.checkpoint_every).max(by_time);
    let samples = settings.sample_every.map_or(0, |every| steps / every + 1);
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
        step: seconds(if steps == 0 { measured.step } else { learning / steps as f64 }),
        time: seconds(time),
        memory: measured.memory.host / 1e6,
        device_memory: measured.memory.device / 1e6,
        estimated,
        warning,
        impossible,
    })
}

/// The remaining steps of a stage, by their cost.
#[derive(Debug, PartialEq, Eq)]
struct RemainingSteps {
    /// Pretraining steps of the GAN, in which neither discriminator nor AlexNet runs.
    pretraining: usize,
    full: usize,
}

impl RemainingSteps {
    /// Those after `done` steps; the pretraining comes first.
    fn of(settings: &LoopSettings, done: usize) -> Self {
        let steps = settings.steps.saturating_sub(done);
        let pretraining = settings.pretraining_steps.saturating_sub(done).min(steps);
        Self { pretraining, full: steps - pretraining }
    }
}

/// The stage with full steps alone, which need the most memory.
fn full_steps<'a>(context: &StageContext<'a>) -> StageContext<'a> {
    context.with_pretraining_steps(0)
}

/// Memory of the stage, extrapolated from small batches.
pub(crate) fn estimated_memory(context: &StageContext) -> Result<MemoryNeed, TrainingError> {
    let min = min_memory(context);
    // Do not try what cannot fit.
    if matches!(fit(context, min), Fit::TooLarge(_)) {
        return Ok(min);
    }
    Ok(estimated(&full_steps(context))?.memory)
}

/// Measured cost of the stage, or extrapolated from smaller batches (true).
fn measured_or_estimated(context: &StageContext) -> Result<(Measured, bool), TrainingError> {
    let largest = SMALL_BATCHES[0][1] * context.device_group.count();
    let small = context.loop_settings().batch_size <= largest && context.loop_settings().gradient_accumulation == 1;
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
    let batch = context.loop_settings().batch_size;
    let sizes = SMALL_BATCHES.map(|sizes| sizes.map(|faces| (faces * context.device_group.count()).min(batch)));
    let safe = sizes.iter().find(|[_, more]| surely_fits(&context.with_batches_of(*more)));
    let [few, more] = *safe.unwrap_or(&sizes[sizes.len() - 1]);
    let measured = |batch| Ok::<_, TrainingError>((batch, measured(&context.with_batches_of(batch))?));
    // The first run allocates memory that is never released, which would count as that of its batch.
    let _ = measured(few)?;
    let (small, large) = (measured(few)?, measured(more)?);
    let mut estimated = if few == more { large.1 } else { Measured::extrapolated(small, large, batch) };
    estimated.step *= context.loop_settings().gradient_accumulation as f64;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    #[test]
    fn the_pretraining_comes_before_the_full_steps() {
        let mut config = TrainingConfig::of(Preset::Tiny);
        (config.aging.steps, config.aging.pretraining_steps) = (10, 4);
        let settings = Stage::Aging.definition().loop_settings(&config);

        let remaining = [0, 3, 7, 12].map(|done| RemainingSteps::of(&settings, done));

        let expected = [(4, 6), (1, 6), (0, 3), (0, 0)];
        assert_eq!(remaining, expected.map(|(pretraining, full)| RemainingSteps { pretraining, full }));
    }
}
