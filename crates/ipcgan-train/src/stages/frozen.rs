//! A frozen AlexNet on every device that needs it.

use std::sync::{Arc, Mutex};

use burn::tensor::Device;
use ipcgan_model::{AlexNet, FrozenAlexNet};

/// A frozen AlexNet: copied once to each device, and not part of checkpoints.
#[derive(Clone, Debug)]
pub(super) struct Frozen {
    original: FrozenAlexNet,
    copies: Arc<Mutex<Vec<(Device, FrozenAlexNet)>>>,
}

impl Frozen {
    pub(super) fn new(alexnet: AlexNet) -> Self {
        Self { original: alexnet.into_frozen(), copies: Arc::default() }
    }

    /// The network on `device`.
    pub(super) fn on(&self, device: &Device) -> FrozenAlexNet {
        let device = device.clone().inner();
        let mut copies = self.copies.lock().expect("no copy panics while it holds the lock");
        if let Some((_, copy)) = copies.iter().find(|(of, _)| *of == device) {
            return copy.clone();
        }
        let copy = self.original.to_device(&device);
        copies.push((device, copy.clone()));
        copy
    }

    /// The original network.
    pub(super) fn to_alexnet(&self) -> AlexNet {
        self.original.to_alexnet()
    }
}
