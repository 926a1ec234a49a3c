//! Frozen networks on every device that needs them.

use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::Device;
use ipcgan_model::{AlexNet, FrozenAlexNet, Recogniser};

/// A frozen AlexNet: copied once to each device, and not part of checkpoints.
#[derive(Clone, Debug)]
pub(super) struct Frozen {
    original: FrozenAlexNet,
    copies: Copies<FrozenAlexNet>,
}

impl Frozen {
    pub(super) fn new(alexnet: AlexNet) -> Self {
        Self { original: alexnet.into_frozen(), copies: Copies::default() }
    }

    /// The network on `device`.
    pub(super) fn on(&self, device: &Device) -> FrozenAlexNet {
        let device = device.clone().inner();
        self.copies.on(&device, || self.original.to_device(&device))
    }

    /// The original network.
    pub(super) fn to_alexnet(&self) -> AlexNet {
        self.original.to_alexnet()
    }
}

/// A frozen face recogniser: copied once to each device, and not part of checkpoints.
#[derive(Clone, Debug)]
pub(super) struct FrozenRecogniser {
    original: Recogniser,
    copies: Copies<Recogniser>,
}

impl FrozenRecogniser {
    /// `original` is on a device without autodiff.
    pub(super) fn new(original: Recogniser) -> Self {
        Self { original, copies: Copies::default() }
    }

    /// The network on `device`, without gradients of its weights; with autodiff, so that faces can have gradients, if the
    /// device has it.
    pub(super) fn on(&self, device: &Device) -> Recogniser {
        self.copies.on(device, || {
            let inner = device.clone().inner();
            let copy = self.original.clone().to_device(&inner);
            if inner == *device { copy } else { copy.train().no_grad() }
        })
    }
}

/// Copies of a network, one for each device.
#[derive(Debug)]
struct Copies<N>(Arc<Mutex<Vec<(Device, N)>>>);

impl<N> Clone for Copies<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N> Default for Copies<N> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<N: Clone> Copies<N> {
    /// The copy for `device`, which `copy` makes once.
    fn on(&self, device: &Device, copy: impl FnOnce() -> N) -> N {
        // A copy that panicked, because its device failed, was not added.
        let mut copies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, copy)) = copies.iter().find(|(of, _)| of == device) {
            return copy.clone();
        }
        let copy = copy();
        copies.push((device.clone(), copy.clone()));
        copy
    }
}
