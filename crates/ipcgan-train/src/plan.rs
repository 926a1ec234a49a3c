//! What a run will take, measured on a few of its steps before it starts.

use std::time::{Duration, Instant};

use burn::train::checkpoint::Checkpoint;
use burn::train::{InferenceStep, Learner};
use ipcgan_model::{give_back_freed_memory, guarded};

use crate::context::StageContext;
use crate::memory::{Fit, MemoryNeed, resident_bytes};
use crate::samples::SampleGrids;
use crate::stage_parts::StageParts;
use crate::stages::StepModel;
use crate::strategy::StepObserver;
use crate::train::Session;
use crate::{RunFolder, Stage, TrainingConfig, TrainingData, TrainingError, preflight};

/// Steps, and batches of validation, that pass before time is taken: they compile kernels, fill caches and get memory.
const WARM_UP: usize = 2;
/// Steps that are measured at most, after those.
const STEPS: usize = 8;
/// Time after which no further one is measured.
const MAX_TIME: Duration = Duration::from_secs(3);
/// Faces on each device in the two small batches from which larger ones are estimated: those that surely fit.
const SMALL_BATCHES: [[usize; 2]; 3] = [[8, 32], [4, 8], [1, 2]];
/// What a stage needs at most of what it needs at least: beside what layers give there are gradients, and copies in other orders.
const MAX_OVER_MIN: f64 = 8.0;
/// Faces and seconds of a step up to which it is measured as it is, and not estimated.
const MEASURED_FACES: usize = 256;
const MEASURED_STEP: f64 = 5.0;
/// Records of a checkpoint as large as the model's: weights, and Adam's two means.
const RECORDS: f64 = 3.0;

/// What a stage will take.
#[derive(Clone, Debug, PartialEq)]
pub struct StagePlan {
    /// The stage.
    pub stage: Stage,
    /// Steps that are to be done.
    pub steps: usize,
    /// Faces that a step learns from, on all devices together.
    pub faces_per_step: usize,
    /// Numbers that learn.
    pub parameters: usize,
    /// Time of a step.
    pub step: Duration,
    /// Time of all steps, validations, checkpoints and sample grids.
    pub time: Duration,
    /// Memory of the process while it learns, in megabytes, without that of GPUs; zero where the system does not say.
    pub memory: f64,
    /// Memory of each GPU, in megabytes; zero for the CPU, and where the device does not say.
    pub device_memory: f64,
    /// Whether time and memory are estimated from smaller batches.
    pub estimated: bool,
    /// What speaks against the run: it needs more memory than is free.
    pub warning: Option<String>,
    /// What makes it impossible: it needs more memory than there is.
    pub impossible: Option<String>,
}

/// Runs a few steps of each of `stages` and says what the whole will take; nothing is written. Large batches are estimated from
/// small ones.
///
/// # Errors
/// As those of [`train`](crate::train), as far as they show before the first step.
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

/// What was measured at one size of the batch, in seconds.
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
    /// The same for `batch` faces, from what was measured with fewer, `small` and `large`.
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
    /// What the stage will take after `done` steps.
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

    /// Memory that the stage needs, estimated from small batches.
    pub(crate) fn estimated_memory(&self) -> Result<MemoryNeed, TrainingError> {
        let least = self.min_memory();
        // What does not fit at best is not tried.
        if matches!(self.fit(least), Fit::TooLarge(_)) {
            return Ok(least);
        }
        Ok(self.estimated()?.memory)
    }

    /// What the stage takes as it is set, and whether that is estimated from smaller batches.
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
        // The first one gets memory that is never given back, which would count as that of its faces.
        let _ = measured(few)?;
        let (small, large) = (measured(few)?, measured(more)?);
        let mut estimated = if few == more { large.1 } else { Measured::extrapolated(small, large, batch) };
        estimated.step *= self.config.gradient_accumulation(self.stage) as f64;
        let least = self.min_memory();
        let bounded = |estimate: f64, measured: f64, least: f64| estimate.clamp(least, measured + MAX_OVER_MIN * least);
        let MemoryNeed { host, device } = estimated.memory;
        estimated.memory.host = bounded(host, large.1.memory.host, least.host);
        estimated.memory.device = bounded(device, large.1.memory.device, least.device);
        Ok(estimated)
    }

    /// Whether it fits into free memory even if it needs the most that it may.
    fn surely_fits(&self) -> bool {
        let MemoryNeed { host, device } = self.min_memory();
        matches!(self.fit(MemoryNeed { host: MAX_OVER_MIN * host, device: MAX_OVER_MIN * device }), Fit::Fits)
    }

    fn measured(&self) -> Result<Measured, TrainingError> {
        // What it has learned by then does not change the time.
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
        give_back_freed_memory();
        self.device().memory_cleanup();
        let measured = guarded(measured).unwrap_or_else(|reason| {
            let advice = format!("if its memory is full, lower {}.batch_size", self.stage);
            Err(TrainingError::Device { step: 1, reason, advice })
        });
        give_back_freed_memory();
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

/// The median time, in seconds, of a few calls of `work` after the first ones, until it gives none; zero if there are none.
fn median(mut work: impl FnMut() -> Result<Option<Duration>, TrainingError>) -> Result<f64, TrainingError> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < WARM_UP + STEPS && (times.len() <= WARM_UP || start.elapsed() < MAX_TIME) {
        match work()? {
            Some(time) => times.push(time.as_secs_f64()),
            None => break,
        }
    }
    // The first ones warm up, unless there are no others.
    let warm = WARM_UP.min(times.len().saturating_sub(1));
    let measured = &mut times[warm..];
    measured.sort_by(f64::total_cmp);
    Ok(measured.get(measured.len() / 2).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_that_warm_up_do_not_count() {
        let mut times = [900, 500, 3, 1, 2].into_iter();

        let time = median(|| Ok(times.next().map(Duration::from_secs))).unwrap();

        assert_eq!(time, 2.0);
        let mut only = [7].into_iter();
        assert_eq!(median(|| Ok(only.next().map(Duration::from_secs))).unwrap(), 7.0);
        assert_eq!(median(|| Ok(None)).unwrap(), 0.0);
    }

    #[test]
    fn a_large_batch_is_estimated_along_a_line_through_two_small_ones() {
        let at = |batch: usize| {
            let (step, host) = (1.0 + batch as f64, 100.0 + 10.0 * batch as f64);
            (batch, Measured { step, memory: MemoryNeed { host, device: 0.0 }, ..Measured::default() })
        };

        let estimated = Measured::extrapolated(at(4), at(8), 1000);

        assert_eq!((estimated.step, estimated.memory.host), (1001.0, 10_100.0));
    }
}
