//! Measures a few steps of a stage.

use std::time::{Duration, Instant};

use burn::train::checkpoint::Checkpoint;
use burn::train::{InferenceStep, Learner};
use ipcgan_system::catch_device_panic;

use crate::TrainingError;
use crate::memory::{MemoryNeed, resident_bytes};
use crate::stage::context::StageContext;
use crate::stage::parts::StageParts;
use crate::step::model::StepModel;

/// Number of warm-up steps and validation batches whose time is discarded: they compile kernels, fill caches and
/// allocate memory.
const WARM_UP: usize = 2;
/// Maximum number of measured steps.
const STEPS: usize = 8;
/// Time after which no further step is measured.
const MAX_TIME: Duration = Duration::from_secs(3);
/// Size of a checkpoint relative to the model's weights: weights and two Adam moments.
const RECORDS: f64 = 3.0;

/// Measurements at one batch size, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) parameters: usize,
    pub(crate) step: f64,
    pub(crate) validation: f64,
    pub(crate) checkpoint: f64,
    pub(crate) sample: f64,
    pub(crate) memory: MemoryNeed,
}

impl Measured {
    /// Linear extrapolation to batch size `batch` from two smaller ones.
    pub(crate) fn extrapolated(small: (usize, Self), large: (usize, Self), batch: usize) -> Self {
        let ((few, small), (more, large)) = (small, large);
        let line = |at_few: f64, at_more: f64| {
            let slope = ((at_more - at_few) / (more - few) as f64).max(0.0);
            at_more + slope * (batch as f64 - more as f64)
        };
        Self {
            step: line(small.step, large.step),
            validation: line(small.validation, large.validation),
            memory: MemoryNeed {
                host: line(small.memory.host, large.memory.host),
                device: line(small.memory.device, large.memory.device),
            },
            ..large
        }
    }
}

/// Measures a few steps, validation batches, a checkpoint and a sample grid. The weights do not affect the time.
pub(crate) fn measure<M: StepModel>(context: &StageContext, parts: StageParts<M>) -> Result<Measured, TrainingError> {
    let StageParts { model, optimizer, lr_scheduler, train, valid, sample_grids, .. } = parts;
    let failed = |reason: String| TrainingError::Stopped { step: 0, reason };
    let mut learner = Learner::new(model, optimizer, lr_scheduler);
    learner.fork(context.device_group.main());
    let train = context.device_group.prepare_loader(train);
    let mut batches = train.iter();
    let step = median(|| {
        let micro_batches = batches.by_ref().take(context.micro_batches_per_step()).collect::<Result<Vec<_>, _>>();
        let micro_batches = micro_batches.map_err(|error| failed(error.to_string()))?;
        if micro_batches.len() < context.micro_batches_per_step() {
            return Ok(None);
        }
        let start = Instant::now();
        learner.lr_step();
        let (learner, device_group) = (&mut learner, &context.device_group);
        let step = || catch_device_panic(|| M::learn(learner, device_group, micro_batches));
        let metrics = device_group.run_step(step).map_err(failed)?;
        metrics.read().map_err(|error| failed(error.to_string()))?;
        Ok(Some(start.elapsed()))
    })?;
    let host = resident_bytes();
    let device = context.device().memory_pool_usage().map_or(0.0, |usage| usage.bytes_reserved as f64);
    drop(batches);
    let model = learner.model();
    let inference_model = model.valid();
    let valid = valid.to_device(&context.device());
    let mut batches = valid.iter();
    let validation = median(|| {
        let start = Instant::now();
        let Some(batch) = batches.next() else { return Ok(None) };
        let _ = InferenceStep::step(&inference_model, batch.map_err(|error| failed(error.to_string()))?);
        context.device().sync().map_err(|error| failed(error.to_string()))?;
        Ok(Some(start.elapsed()))
    })?;
    let start = Instant::now();
    let record = model.clone().into_record();
    record.checkpoint_into_bytes().map_err(|error| failed(error.to_string()))?;
    let checkpoint = RECORDS * start.elapsed().as_secs_f64();
    let start = Instant::now();
    if let Some(grids) = sample_grids {
        grids.dry_run(&model);
    }
    let sample = start.elapsed().as_secs_f64();
    let memory = MemoryNeed { host, device };
    Ok(Measured { parameters: model.num_params(), step, validation, checkpoint, sample, memory })
}

/// Median time in seconds of a few calls of `work` after the warm-up, until it returns `None`; zero if the first call
/// does.
fn median(mut work: impl FnMut() -> Result<Option<Duration>, TrainingError>) -> Result<f64, TrainingError> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < WARM_UP + STEPS && (times.len() <= WARM_UP || start.elapsed() < MAX_TIME) {
        match work()? {
            Some(time) => times.push(time.as_secs_f64()),
            None => break,
        }
    }
    // Skips the warm-up, unless there is nothing else to measure.
    let warm = WARM_UP.min(times.len().saturating_sub(1));
    let measured = &mut times[warm..];
    measured.sort_by(f64::total_cmp);
    Ok(measured.get(measured.len() / 2).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_steps_do_not_count() {
        let mut times = [900, 500, 3, 1, 2].into_iter();

        let time = median(|| Ok(times.next().map(Duration::from_secs))).unwrap();

        assert_eq!(time, 2.0);
        let mut only = [7].into_iter();
        assert_eq!(median(|| Ok(only.next().map(Duration::from_secs))).unwrap(), 7.0);
        assert_eq!(median(|| Ok(None)).unwrap(), 0.0);
    }

    #[test]
    fn a_large_batch_is_extrapolated_linearly_from_two_small_ones() {
        let at = |batch: usize| {
            let (step, host) = (1.0 + batch as f64, 100.0 + 10.0 * batch as f64);
            (batch, Measured { step, memory: MemoryNeed { host, device: 0.0 }, ..Measured::default() })
        };

        let estimated = Measured::extrapolated(at(4), at(8), 1000);

        assert_eq!((estimated.step, estimated.memory.host), (1001.0, 10_100.0));
    }
}
