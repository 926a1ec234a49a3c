//! Data parallelism: each device processes a part of the micro-batches of a step.

use std::panic::{panic_any, resume_unwind};
use std::sync::Arc;
use std::thread;

use burn::data::dataloader::DataLoader;
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn::train::LearnerModel;
use ipcgan_kernels::in_thread_pool;
use ipcgan_model::{NamedVisitor, TensorCopies, is_flex, visit_named};
use ipcgan_system::catch_device_panic;

use crate::step::update::StepGradients;

/// A batch that can be moved to a device.
pub(crate) trait Batch: Send + 'static {
    /// The batch on `device`.
    fn to_device(self, device: &Device) -> Self;
}

/// Autodiff devices of a run; the first (main) one holds the networks and updates them.
#[derive(Clone, Debug)]
pub(crate) struct DeviceGroup {
    devices: Vec<Device>,
}

impl DeviceGroup {
    /// # Panics
    /// If there are no devices.
    pub(crate) fn new(devices: &[Device]) -> Self {
        assert!(!devices.is_empty(), "a device group has at least one device");
        Self { devices: devices.iter().map(|device| device.clone().autodiff()).collect() }
    }

    /// Number of devices.
    pub(crate) fn count(&self) -> usize {
        self.devices.len()
    }

    /// The device that holds the networks.
    pub(crate) fn main(&self) -> &Device {
        &self.devices[0]
    }

    /// Runs `step`, for a single CPU in the thread pool of its kernels: a step has hundreds of them.
    pub(crate) fn run_step<R: Send>(&self, step: impl FnOnce() -> R + Send) -> R {
        if self.count() == 1 && is_flex(self.main()) { in_thread_pool(step) } else { step() }
    }

    /// `loader` for this group: with one device it delivers batches on that device, with several the CPU distributes
    /// the micro-batches.
    pub(crate) fn prepare_loader<B: 'static>(&self, loader: Arc<dyn DataLoader<B>>) -> Arc<dyn DataLoader<B>> {
        if self.devices.len() == 1 { loader.to_device(self.main()) } else { loader }
    }

    /// Runs `compute` on each of `micro_batches`, in order; the results are on the main device.
    ///
    /// With several devices, each has a replica of `model` with its own running statistics, which are averaged
    /// afterwards in a fixed order, so that the same devices give bitwise equal results. (Burn's data-parallel strategy
    /// sums gradients where we average, shares running statistics between threads in arbitrary order, and supports one
    /// update per step.)
    pub(crate) fn step_gradients<M: LearnerModel, B: Batch>(
        &self,
        model: &M,
        micro_batches: Vec<B>,
        compute: impl Fn(&M, B) -> StepGradients + Sync,
    ) -> Vec<StepGradients> {
        if self.devices.len() == 1 {
            return micro_batches.into_iter().map(|micro_batch| compute(model, micro_batch)).collect();
        }
        let count = micro_batches.len();
        let mut assignments: Vec<Vec<(usize, B)>> = self.devices.iter().map(|_| Vec::new()).collect();
        for (index, micro_batch) in micro_batches.into_iter().enumerate() {
            assignments[index % self.devices.len()].push((index, micro_batch));
        }
        let main = self.main().clone().inner();
        let gathering_device = |device: &Device| if is_remote(device) { Device::flex() } else { main.clone() };
        let work = |device: &Device, replica: M, assigned: Vec<(usize, B)>| {
            let replica = replica.fork(device);
            let one = |(index, micro_batch): (usize, B)| {
                let StepGradients { gradients, metrics } = compute(&replica, micro_batch.to_device(device));
                let (gradients, metrics) = (
                    gradients.to_device(&gathering_device(device), &replica),
                    metrics.to_device(&gathering_device(device)),
                );
                (
                    index,
                    StepGradients {
                        gradients: gradients.to_device(&main, &replica),
                        metrics: metrics.to_device(&main),
                    },
                )
            };
            let step_gradients: Vec<_> = assigned.into_iter().map(one).collect();
            (step_gradients, Statistics::of(&replica.valid(), &gathering_device(device)))
        };
        let done: Vec<_> = thread::scope(|scope| {
            let work = &work;
            let begin = |(device, assigned)| {
                // A deep copy: a clone would share the running statistics.
                let replica = model.valid().train();
                scope.spawn(move || catch_device_panic(|| work(device, replica, assigned)))
            };
            let threads: Vec<_> = self.devices.iter().zip(assignments).map(begin).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let named = |(index, done): (usize, Result<_, _>)| {
            // Panics, as a failure of a single device does; the caller catches both.
            let failed = |reason| panic_any(format!("device {} of {}: {reason}", index + 1, self.count()));
            done.unwrap_or_else(failed)
        };
        let done = done.into_iter().enumerate().map(named);
        let mut step_gradients: Vec<Option<StepGradients>> = (0..count).map(|_| None).collect();
        let mut statistics = Vec::new();
        for (of_device, of_replica) in done {
            of_device.into_iter().for_each(|(index, step)| step_gradients[index] = Some(step));
            statistics.push(of_replica);
        }
        Statistics::mean(statistics, &main).load_into(model);
        step_gradients.into_iter().map(|step| step.expect("every micro-batch is assigned to a device")).collect()
    }
}

/// Whether `device` is on another machine. Its results are routed through this machine: a direct transfer between two
/// remote devices loses both when one fails.
#[cfg_attr(not(feature = "remote"), expect(unused_variables, reason = "no device is"))]
fn is_remote(device: &Device) -> bool {
    #[cfg(feature = "remote")]
    {
        use burn::backend::DispatchDevice;

        matches!(device.clone().inner().as_dispatch(), DispatchDevice::Remote(_))
    }
    #[cfg(not(feature = "remote"))]
    false
}

/// Batch-norm running statistics of a network.
#[derive(Default)]
pub(crate) struct Statistics {
    // Used as a map from id to tensors of any rank.
    tensors: GradientsParams,
    ids: Vec<ParamId>,
    device: Option<Device>,
}

impl Statistics {
    pub(crate) fn of<M: Module>(network: &M, device: &Device) -> Self {
        visit_named(network, Self { device: Some(device.clone()), ..Self::default() })
    }

    /// Their mean, on `device`. All are vectors, one value per channel.
    fn mean(mut replicas: Vec<Self>, device: &Device) -> Self {
        let count = replicas.len() as f64;
        let mut first = replicas.remove(0);
        for id in first.ids.clone() {
            let sum = first.tensors.remove::<1>(id).into_iter();
            let sum = sum.chain(replicas.iter_mut().filter_map(|replica| replica.tensors.remove::<1>(id)));
            let sum = sum.map(|tensor| tensor.to_device(device));
            if let Some(sum) = sum.reduce(|sum, other| sum + other) {
                first.tensors.register(id, sum / count);
            }
        }
        first
    }

    /// Moves the current statistics of `network` to the memory of these, which they had before, on a GPU.
    pub(crate) fn keep_memory<M: Module>(self, network: &M, device: &Device) {
        let new = Self::of(network, device);
        let mut copies = TensorCopies::default();
        for id in &self.ids {
            if let (Some(new), Some(old)) = (new.tensors.get::<1>(*id), self.tensors.get::<1>(*id)) {
                copies.add(new, &old);
            }
        }
        copies.launch();
        self.load_into(network);
    }

    fn load_into<M: Module>(mut self, network: &M) {
        // Clones share their running statistics.
        let _ = network.clone().map(&mut self);
    }
}

impl NamedVisitor for Statistics {
    fn visit<const D: usize>(&mut self, name: &[String], parameter: &Param<Tensor<D>>) {
        if name.last().is_some_and(|name| name.starts_with("running_")) {
            let tensor = parameter.val().without_autodiff();
            let tensor = match &self.device {
                Some(device) => tensor.to_device(device),
                None => tensor,
            };
            self.tensors.register(parameter.id, tensor);
            self.ids.push(parameter.id);
        }
    }
}

impl ModuleMapper for Statistics {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.tensors.remove::<D>(parameter.id) {
            None => parameter,
            Some(mean) => parameter.map(|before| match before.device().is_autodiff() {
                true => Tensor::from_inner(mean),
                false => mean,
            }),
        }
    }
}
