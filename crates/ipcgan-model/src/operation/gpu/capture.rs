//! Capture of repeated GPU work as a graph: launches are recorded once, and a replay submits all of them at once.
//!
//! A recorded launch reads and writes the memory that it was recorded with, and its arguments are constants. Therefore, while
//! a step is warmed up or recorded, weights, moments and averages are updated in place, and values from the host come
//! from buffers at fixed addresses. Before a replay, the host writes the values that differ from step to step.

use std::cell::RefCell;
use std::fmt;

use burn::backend::{Backend, Dispatch, DispatchDevice, DispatchGraph};
use burn::tensor::{Bytes, Device};
use burn_cubecl::CubeDevice;
use cubecl::client::Client;
use cubecl::server::Handle;

use super::cube_device;

/// What happens to the GPU work of this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operation) enum Phase {
    /// It runs as usual.
    Eager,
    /// It runs in fixed memory: updates are in place.
    WarmUp,
    /// It is recorded instead of run.
    Record,
    /// It is part of a graph; only values from the host are renewed.
    Replay,
}

/// Where a value from the host is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operation) enum Purpose {
    /// The same in every step.
    Constant,
    /// Learning rate and bias corrections of Adam.
    Adam,
    /// Decay of an average.
    Ema,
    /// Offset of AlexNet's window.
    Window,
}

/// Values from the host in memory that keeps its place.
struct Upload {
    purpose: Purpose,
    handle: Handle,
    bytes: Vec<u8>,
    client: Client,
    /// Whether `bytes` have not been written: nothing can be written while launches are recorded.
    stale: bool,
}

struct Current {
    phase: Phase,
    uploads: Vec<Upload>,
    /// Index of the next upload.
    next: usize,
    /// Why the recording cannot be replayed.
    fault: Option<&'static str>,
}

/// A fault of a recording.
const DIFFERS: &str = "the step differs from the one before";

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// The phase of this thread.
pub(in crate::operation) fn phase() -> Phase {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Phase::Eager, |current| current.phase))
}

/// Whether updates must not move their tensors to other memory.
pub(super) fn in_place() -> bool {
    phase() != Phase::Eager
}

/// Memory of the device with `bytes`.
pub(in crate::operation) fn upload(client: &Client, bytes: &[u8], purpose: Purpose) -> Handle {
    CURRENT.with_borrow_mut(|current| match current {
        None => client.create_from_slice(bytes),
        Some(current) => current.upload(client, bytes, purpose),
    })
}

impl Current {
    fn upload(&mut self, client: &Client, bytes: &[u8], purpose: Purpose) -> Handle {
        if self.phase == Phase::Replay {
            self.skip_constants();
        }
        let index = self.next;
        self.next += 1;
        let recording = self.phase == Phase::Record;
        match self.uploads.get_mut(index) {
            Some(upload) if upload.purpose == purpose && upload.bytes.len() == bytes.len() => {
                if recording && purpose == Purpose::Constant && upload.bytes != bytes {
                    self.fault.get_or_insert(DIFFERS);
                }
                upload.renew(bytes, !recording);
                upload.handle.clone()
            }
            _ => {
                if self.phase != Phase::WarmUp {
                    self.fault.get_or_insert(DIFFERS);
                }
                let handle = client.create_from_slice(bytes);
                self.uploads.truncate(index);
                let client = client.clone();
                self.uploads.push(Upload {
                    purpose,
                    handle: handle.clone(),
                    bytes: bytes.into(),
                    client,
                    stale: false,
                });
                handle
            }
        }
    }
}

impl Current {
    /// A replay renews everything but constants.
    fn skip_constants(&mut self) {
        while self.uploads.get(self.next).is_some_and(|upload| upload.purpose == Purpose::Constant) {
            self.next += 1;
        }
    }

    /// Ends a replay, which must have renewed each value.
    fn check_renewed(&mut self) {
        self.skip_constants();
        if self.next < self.uploads.len() {
            self.fault.get_or_insert(DIFFERS);
        }
    }
}

impl Upload {
    fn renew(&mut self, bytes: &[u8], write: bool) {
        if self.bytes != bytes {
            self.bytes = bytes.into();
            self.stale = true;
        }
        if write {
            self.write();
        }
    }

    fn write(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.client.write(&self.handle, Bytes::from_bytes_vec(self.bytes.clone()));
        }
    }
}

/// A training step as a graph of a GPU.
///
/// Recording needs memory at fixed addresses and no values from the host, so a step is warmed up first: weights and
/// averages are then updated in place. Use it in one thread, with the same shapes in each step:
///
/// 1. [`StepGraph::prepare`], after a step that initialized the optimizer;
/// 2. [`StepGraph::warm_up`] for a few steps;
/// 3. [`StepGraph::begin_recording`] and [`StepGraph::record`] for one step, which does not run, then
///    [`StepGraph::replay`], which runs it;
/// 4. for each step after it [`StepGraph::renew`], in which optimizer and average are called as in a step, then
///    [`StepGraph::replay`].
pub struct StepGraph {
    device: DispatchDevice,
    uploads: Vec<Upload>,
    graph: Option<DispatchGraph>,
}

impl StepGraph {
    /// Checks, without running anything, that `device` is a GPU of this process. Some GPUs refuse later, in
    /// [`StepGraph::prepare`] or [`StepGraph::begin_recording`].
    ///
    /// # Errors
    /// It is another device; the reason.
    pub fn check_device(device: &Device) -> Result<(), String> {
        gpu_of_this_process(device).map(|_| ())
    }

    /// Prepares a recording on `device`.
    ///
    /// # Errors
    /// The device does not support it; the reason.
    pub fn prepare(device: &Device) -> Result<Self, String> {
        let device = DispatchDevice::Cube(gpu_of_this_process(device)?.clone());
        Dispatch::graph_prepare(&device).map_err(|error| error.to_string())?;
        Ok(Self { device, uploads: Vec::new(), graph: None })
    }

    /// Runs `step` in fixed memory: updates are in place.
    pub fn warm_up<R>(&mut self, step: impl FnOnce() -> R) -> R {
        self.within(Phase::WarmUp, step).0
    }

    /// Begins to record launches. A device that does not support it refuses here, before anything has changed.
    ///
    /// # Errors
    /// The device does not support it; the reason.
    pub fn begin_recording(&mut self) -> Result<(), String> {
        Dispatch::graph_start_capture(&self.device).map_err(|error| error.to_string())
    }

    /// Records the launches of `step`, directly after [`StepGraph::begin_recording`], without running them; values from the
    /// host are renewed.
    ///
    /// # Errors
    /// The step cannot be recorded; the reason.
    pub fn record<R>(&mut self, step: impl FnOnce() -> R) -> Result<R, String> {
        let (result, fault) = self.within(Phase::Record, step);
        let graph = Dispatch::graph_stop_capture(&self.device).map_err(|error| error.to_string())?;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        self.uploads.iter_mut().for_each(Upload::write);
        self.graph = Some(graph);
        Ok(result)
    }

    /// Runs `renew`, in which [`adam_update`](crate::adam_update), [`ema_tensor_update`](crate::ema_tensor_update) and
    /// [`renew_window_offset`](crate::renew_window_offset) only write their values for the next replay to the device. They
    /// must be called as often as in the recorded step, in the same order.
    ///
    /// # Errors
    /// The calls differ from those of the recorded step.
    pub fn renew<R>(&mut self, renew: impl FnOnce() -> R) -> Result<R, String> {
        match self.within(Phase::Replay, renew) {
            (result, None) => Ok(result),
            (_, Some(fault)) => Err(fault.into()),
        }
    }

    /// Submits the recorded launches.
    ///
    /// # Errors
    /// The device refuses them, or nothing was recorded; the reason.
    ///
    /// # Safety
    /// - All tensors that the recorded step used and that existed before it or outlive it still exist.
    /// - No other thread uses them until the replay is complete.
    /// - This thread recorded the step.
    #[allow(unsafe_code, reason = "the device cannot check which memory a graph uses")]
    pub unsafe fn replay(&self) -> Result<(), String> {
        let graph = self.graph.as_ref().ok_or("nothing was recorded")?;
        // SAFETY: the caller's promise.
        unsafe { Dispatch::graph_replay(&self.device, graph) }.map_err(|error| error.to_string())
    }

    /// Whether this thread records a step.
    pub fn is_recording() -> bool {
        phase() == Phase::Record
    }

    /// Whether this thread renews the values of a step.
    pub fn is_renewing() -> bool {
        phase() == Phase::Replay
    }

    fn within<R>(&mut self, phase: Phase, run: impl FnOnce() -> R) -> (R, Option<&'static str>) {
        let current = Current { phase, uploads: std::mem::take(&mut self.uploads), next: 0, fault: None };
        assert!(CURRENT.replace(Some(current)).is_none(), "a capture within a capture");
        let _reset = Reset;
        let result = run();
        let mut current = CURRENT.take().expect("only `within` ends it");
        if phase == Phase::Replay {
            current.check_renewed();
        }
        self.uploads = current.uploads;
        (result, current.fault)
    }
}

/// The GPU that `device` is.
///
/// # Errors
/// It is another device; the reason.
fn gpu_of_this_process(device: &Device) -> Result<&CubeDevice, String> {
    cube_device(device).ok_or_else(|| "the device is not a GPU of this process".into())
}

impl fmt::Debug for StepGraph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StepGraph").field("graph", &self.graph).finish_non_exhaustive()
    }
}

/// Ends the phase after a panic.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        CURRENT.take();
    }
}
