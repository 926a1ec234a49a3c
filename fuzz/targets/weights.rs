//! Fuzzes weights files of each format: safetensors, PyTorch and Burn.
#![no_main]

use std::path::Path;

use burn::tensor::Device;
use ipcgan::model::{AlexNet, Discriminator, Generator, weights};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (origin, device) = (Path::new("weights"), Device::flex());
    let _ = weights::from_bytes::<Generator>(bytes.to_vec(), origin, &device);
    let _ = weights::from_bytes::<Discriminator>(bytes.to_vec(), origin, &device);
    let _ = weights::from_bytes::<AlexNet>(bytes.to_vec(), origin, &device);
});
