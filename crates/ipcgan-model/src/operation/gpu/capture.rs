//! Capture of repeated GPU work as a graph: launches are recorded once, and a replay submits all of them at once.
//!
//! A recorded launch reads and writes the memory that it was recorded with, and its arguments are constants. Therefore, while
//! a step is warmed up or recorded, weights, moments and averages are updated in place, and values from the host come
//! from buffers at fixed addresses. Before a replay, the host writes the values that differ from step to step.

use std::cell::RefCell;
use std::fmt;

use burn::backend::{Backend, Dispatch, DispatchDevice, DispatchGraph};
use burn::tensor::{Bytes, Device};
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

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// The phase of this thread.
pub(in crate::operation) fn phase() -> Phase {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Phase::Eager, |current| current.phase))
}

/// Whether updates must not move their tensors to other memory.
pub(in crate::operation) fn in_place() -> bool {
    phase() != Phase::Eager
}

/// Whether this thread records a step.
pub(in crate::operation) fn is_recording() -> bool {
    phase() == Phase::Record
}

/// Whether this thread renews the values of a step.
pub(in crate::operation) fn is_renewing() -> bool {
    phase() == Phase::Replay
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
            while self.uploads.get(self.next).is_some_and(|upload| upload.purpose != purpose) {
                self.next += 1;
            }
        }
        let index = self.next;
        self.next += 1;
        let recording = self.phase == Phase::Record;
        match self.uploads.get_mut(index) {
            Some(upload) if upload.purpose == purpose && upload.bytes.len() == bytes.len() => {
                upload.renew(bytes, !recording);
                upload.handle.clone()
            }
            _ => {
                if self.phase != Phase::WarmUp {
                    self.fault.get_or_insert("the step differs from the one before");
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

/// GPU work that is repeated: recorded once, then replayed.
///
/// Call [`CapturedGraph::warm_up`] a few times, then [`CapturedGraph::begin_recording`] and [`CapturedGraph::record`], then [`CapturedGraph::replay`] for the
/// recorded run and each one after it; all in one thread and with the same shapes.
pub(in crate::operation) struct CapturedGraph {
    device: DispatchDevice,
    uploads: Vec<Upload>,
    graph: Option<DispatchGraph>,
}

impl CapturedGraph {
    /// Prepares a capture on `device`.
    ///
    /// # Errors
    /// The device does not support it; the reason.
    pub(in crate::operation) fn prepare(device: &Device) -> Result<Self, String> {
        let Some(gpu) = cube_device(device) else { return Err("the device is not a GPU of this process".into()) };
        let device = DispatchDevice::Cube(gpu.clone());
        Dispatch::graph_prepare(&device).map_err(|error| error.to_string())?;
        Ok(Self { device, uploads: Vec::new(), graph: None })
    }

    /// Runs `run` with updates in place, so that all memory exists.
    pub(in crate::operation) fn warm_up<R>(&mut self, run: impl FnOnce() -> R) -> R {
        self.within(Phase::WarmUp, run).0
    }

    /// Begins to record launches.
    ///
    /// # Errors
    /// The device does not support it; the reason.
    pub(in crate::operation) fn begin_recording(&mut self) -> Result<(), String> {
        Dispatch::graph_start_capture(&self.device).map_err(|error| error.to_string())
    }

    /// Records the launches of `run` without running them, after [`CapturedGraph::begin_recording`].
    ///
    /// # Errors
    /// It cannot be recorded; the reason.
    pub(in crate::operation) fn record<R>(&mut self, run: impl FnOnce() -> R) -> Result<R, String> {
        let (result, fault) = self.within(Phase::Record, run);
        let graph = Dispatch::graph_stop_capture(&self.device).map_err(|error| error.to_string())?;
        if let Some(fault) = fault {
            return Err(fault.into());
        }
        self.uploads.iter_mut().for_each(Upload::write);
        self.graph = Some(graph);
        Ok(result)
    }

    /// Runs `renew`, in which updates only renew their values from the host.
    pub(in crate::operation) fn renew<R>(&mut self, renew: impl FnOnce() -> R) -> Result<R, String> {
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
    /// All tensors that were used by the recorded run and exist outside of it still exist, no other thread uses them, and
    /// this thread recorded the run.
    #[allow(unsafe_code, reason = "the device cannot check which memory a graph uses")]
    pub(in crate::operation) unsafe fn replay(&self) -> Result<(), String> {
        let graph = self.graph.as_ref().ok_or("nothing was recorded")?;
        // SAFETY: the caller's promise.
        unsafe { Dispatch::graph_replay(&self.device, graph) }.map_err(|error| error.to_string())
    }

    fn within<R>(&mut self, phase: Phase, run: impl FnOnce() -> R) -> (R, Option<&'static str>) {
        let current = Current { phase, uploads: std::mem::take(&mut self.uploads), next: 0, fault: None };
        assert!(CURRENT.replace(Some(current)).is_none(), "a capture within a capture");
        let _reset = Reset;
        let result = run();
        let Current { uploads, fault, .. } = CURRENT.take().expect("only `within` ends it");
        self.uploads = uploads;
        (result, fault)
    }
}

impl fmt::Debug for CapturedGraph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CapturedGraph").field("graph", &self.graph).finish_non_exhaustive()
    }
}

/// Ends the phase after a panic.
struct Reset;

impl Drop for Reset {
    fn drop(&mut self) {
        CURRENT.take();
    }
}
