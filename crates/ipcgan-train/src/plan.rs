//! Dry run: time and memory of a training, measured on a few steps.

use std::time::{Duration, Instant};

use burn::train::checkpoint::Checkpoint;
use burn::train::{InferenceStep, Learner};
use ipcgan_model::{catch_panic, release_freed_memory};

use crate::context::StageContext;
use crate::memory::{Fit, MemoryNeed, resident_bytes};
use crate::samples::SampleGrids;
use crate::stage_parts::StageParts;
use crate::stages::StepModel;
use crate::strategy::StepObserver;
use crate::train::Session;
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError, preflight};

/// Warm-up steps and validation batches before time is measured: they compile kernels, fill caches and allocate
/// memory.
const WARM_UP: usize = 2;
/// Maximum number of measured steps.
const STEPS: usize = 8;
/// Time after which no further step is measured.
const MAX_TIME: Duration = Duration::from_secs(3);
/// Pairs of small batch sizes per device from which larger ones are extrapolated; the first pair that certainly fits
/// is used.
const SMALL_BATCHES: [[usize; 2]; 3] = [[8, 32], [4, 8], [1, 2]];
/// Upper bound of the memory of a stage relative to its lower bound: besides activations there are gradients, and
/// copies in other layouts.
const MAX_OVER_MIN: f64 = 8.0;
/// Faces and seconds per step up to which a step is measured and not extrapolated.
const MEASURED_FACES: usize = 256;
const MEASURED_STEP: f64 = 5.0;
/// Size of a checkpoint relative to the model's weights: weights and two Adam moments.
const RECORDS: f64 = 3.0;

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
    pub warning: Option<String>,
    /// Error: the stage needs more memory than there is.
    pub impossible: Option<String>,
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
        StageContext::planned(config, stage, data, run, session)?.plan(done)
    };
    stages.iter().map(of).collect()
}

/// Measurements at one batch size, in seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    parameters: usize,
    step: f64,
    validation: f64,
    checkpoint: f64,
    sample: f64,
    memory: MemoryNeed,
}

impl Measured {
    /// Linear extrapolation to batch size `batch` from two smaller ones.
    fn extrapolated(small: (usize, Self), large: (usize, Self), batch: usize) -> Self {
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

impl StageContext<'_> {
    /// Cost of the stage after `done` steps.
    fn plan(&self, done: usize) -> Result<StagePlan, TrainingError> {
        if let Fit::TooLarge(error) = self.fit(self.min_memory()) {
            return Err(error);
        }
        let (measured, estimated) = self.measured_or_estimated()?;
        let steps = self.config.steps(self.stage).saturating_sub(done);
        let config = &self.config;
        let validations = config.validations.min(steps);
        let batches = self.data.valid().len().div_ceil(config.batch_size(self.stage));
        let learning = measured.step * steps as f64;
        let by_time = (learning / (60.0 * config.checkpoint_minutes)) as usize;
        let checkpoints = validations + (steps / config.checkpoint_every).max(by_time);
        let samples = if self.stage == Stage::Aging { steps / config.aging.sample_every + 1 } else { 0 };
        let time = learning
            + measured.validation * (batches * validations) as f64
            + measured.checkpoint * checkpoints as f64
            + measured.sample * samples as f64;
        let (warning, impossible) = match self.fit(measured.memory) {
            Fit::Fits => (None, None),
            Fit::Tight(warning) => (Some(warning), None),
            Fit::TooLarge(error) => (None, Some(error.to_string())),
        };
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Ok(StagePlan {
            stage: self.stage,
            steps,
            faces_per_step: self.items_per_step(),
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
    pub(crate) fn estimated_memory(&self) -> Result<MemoryNeed, TrainingError> {
        let min = self.min_memory();
        // Do not try what cannot fit.
        if matches!(self.fit(min), Fit::TooLarge(_)) {
            return Ok(min);
        }
        Ok(self.estimated()?.memory)
    }

    /// Measured cost of the stage, or extrapolated from smaller batches (true).
    fn measured_or_estimated(&self) -> Result<(Measured, bool), TrainingError> {
        let largest = SMALL_BATCHES[0][1] * self.device_group.count();
        let small = self.config.batch_size(self.stage) <= largest && self.config.gradient_accumulation(self.stage) == 1;
        if small && self.surely_fits() {
            return Ok((self.measured()?, false));
        }
        let estimated = self.estimated()?;
        let fits = matches!(self.fit(estimated.memory), Fit::Fits);
        if fits && self.items_per_step() <= MEASURED_FACES && estimated.step <= MEASURED_STEP {
            Ok((self.measured()?, false))
        } else {
            Ok((estimated, true))
        }
    }

    fn estimated(&self) -> Result<Measured, TrainingError> {
        let batch = self.config.batch_size(self.stage);
        let sizes = SMALL_BATCHES.map(|sizes| sizes.map(|faces| (faces * self.device_group.count()).min(batch)));
        let safe = sizes.iter().find(|[_, more]| self.with_batches_of(*more).surely_fits());
        let [few, more] = *safe.unwrap_or(&sizes[sizes.len() - 1]);
        let measured = |batch| Ok::<_, TrainingError>((batch, self.with_batches_of(batch).measured()?));
        // The first run allocates memory that is never released, which would count as that of its batch.
        let _ = measured(few)?;
        let (small, large) = (measured(few)?, measured(more)?);
        let mut estimated = if few == more { large.1 } else { Measured::extrapolated(small, large, batch) };
        estimated.step *= self.config.gradient_accumulation(self.stage) as f64;
        let min = self.min_memory();
        let bounded = |estimate: f64, measured: f64, min: f64| estimate.clamp(min, measured + MAX_OVER_MIN * min);
        let MemoryNeed { host, device } = estimated.memory;
        estimated.memory.host = bounded(host, large.1.memory.host, min.host);
        estimated.memory.device = bounded(device, large.1.memory.device, min.device);
        Ok(estimated)
    }

    /// Whether even the upper bound of its memory is free.
    fn surely_fits(&self) -> bool {
        let MemoryNeed { host, device } = self.min_memory();
        matches!(self.fit(MemoryNeed { host: MAX_OVER_MIN * host, device: MAX_OVER_MIN * device }), Fit::Fits)
    }

    fn measured(&self) -> Result<Measured, TrainingError> {
        // The weights do not affect the time.
        let blank = || self.untrained_alexnet();
        let measured = || match self.stage {
            Stage::Identity => self.measure(self.identity_parts()?, None),
            Stage::Age => self.measure(self.age_parts(blank())?, None),
            Stage::Aging => {
                let samples =
                    SampleGrids::new(self.run.clone(), self.data.valid().as_ref(), &self.config, &self.device())?;
                self.measure(self.aging_parts(blank())?, Some(&samples))
            }
        };
        release_freed_memory();
        self.device().memory_cleanup();
        let measured = catch_panic(measured).unwrap_or_else(|reason| {
            let advice = format!("if it ran out of memory, lower {}.batch_size", self.stage);
            Err(TrainingError::Device { step: 1, reason, advice })
        });
        release_freed_memory();
        measured
    }

    fn measure<M: StepModel>(
        &self,
        parts: StageParts<M>,
        observer: Option<&dyn StepObserver<M>>,
    ) -> Result<Measured, TrainingError> {
        let StageParts { model, optimizer, lr_scheduler, train, valid, .. } = parts;
        let failed = |reason: String| TrainingError::Stopped { step: 0, reason };
        let mut learner = Learner::new(model, optimizer, lr_scheduler);
        learner.fork(self.device_group.main());
        let train = self.device_group.prepare_loader(train);
        let mut batches = train.iter();
        let step = median(|| {
            let micro_batches = batches.by_ref().take(self.micro_batches_per_step()).collect::<Result<Vec<_>, _>>();
            let micro_batches = micro_batches.map_err(|error| failed(error.to_string()))?;
            if micro_batches.len() < self.micro_batches_per_step() {
                return Ok(None);
            }
            let start = Instant::now();
            learner.lr_step();
            let metrics = M::learn(&mut learner, &self.device_group, micro_batches);
            metrics.read().map_err(|error| failed(error.to_string()))?;
            Ok(Some(start.elapsed()))
        })?;
        let host = resident_bytes();
        let device = self.device().memory_pool_usage().map_or(0.0, |usage| usage.bytes_reserved as f64);
        drop(batches);
        let model = learner.model();
        let judged = model.valid();
        let valid = valid.to_device(&self.device());
        let mut batches = valid.iter();
        let validation = median(|| {
            let start = Instant::now();
            let Some(batch) = batches.next() else { return Ok(None) };
            let _ = InferenceStep::step(&judged, batch.map_err(|error| failed(error.to_string()))?);
            self.device().sync().map_err(|error| failed(error.to_string()))?;
            Ok(Some(start.elapsed()))
        })?;
        let start = Instant::now();
        let record = model.clone().into_record();
        record.checkpoint_into_bytes().map_err(|error| failed(error.to_string()))?;
        let checkpoint = RECORDS * start.elapsed().as_secs_f64();
        let start = Instant::now();
        if let Some(observer) = observer {
            observer.dry_run(&model);
        }
        let sample = start.elapsed().as_secs_f64();
        let memory = MemoryNeed { host, device };
        Ok(Measured { parameters: model.num_params(), step, validation, checkpoint, sample, memory })
    }
}

/// Median time in seconds of a few calls of `work` after the warm-up, until it returns none; zero if there are none.
fn median(mut work: impl FnMut() -> Result<Option<Duration>, TrainingError>) -> Result<f64, TrainingError> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < WARM_UP + STEPS && (times.len() <= WARM_UP || start.elapsed() < MAX_TIME) {
        match work()? {
            Some(time) => times.push(time.as_secs_f64()),
            None => break,
        }
    }
    // Skips the warm-up, unless there is nothing else.
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
