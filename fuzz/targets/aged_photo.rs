//! Fuzzes ageing a photo from bytes to bytes: decode, detect, age, paste back, encode.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use burn::tensor::Device;
use ipcgan::model::{AgeGroups, GeneratorConfig, weights};
use ipcgan::photo::{self, PhotoFormat};
use ipcgan::{AgeBlend, PhotoAging};
use libfuzzer_sys::fuzz_target;

/// Searching takes as long as there are pixels.
const MAX_PIXELS: u64 = 1 << 14;

/// The smallest generator with the detector of the command.
static AGING: LazyLock<PhotoAging> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("generator.safetensors");
    let (groups, device) = (AgeGroups::default(), Device::flex());
    let config = GeneratorConfig::new().with_width(2).with_residual_blocks(1).with_image_size(16);
    weights::save(&config.init(&groups, 0, &device), &config, &groups, &path).expect("weights are written");
    PhotoAging::load(&path, &device).expect("weights are read")
});

fuzz_target!(|bytes: &[u8]| {
    let origin = Path::new("photo");
    if photo::pixels_of(bytes, origin).is_ok_and(|pixels| pixels > MAX_PIXELS) {
        return;
    }
    let Ok(mut original) = photo::original(bytes, origin) else { return };
    let ages = [AgeBlend::from_group(0, AGING.age_groups()), AgeBlend::from_group(4, AGING.age_groups())];
    for face in AGING.faces(&original.rgb()) {
        for change in AGING.residuals(&face, &ages) {
            face.paste_back(&mut original.image, &change);
        }
    }
    original.encoded(PhotoFormat::Png).expect("what was read can be written");
});
