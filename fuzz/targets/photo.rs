//! Fuzzes decoding and encoding of images with their metadata.
#![no_main]

use std::path::Path;

use ipcgan::photo::{self, PhotoFormat};
use libfuzzer_sys::fuzz_target;

/// Larger ones take too long.
const MAX_PIXELS: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let origin = Path::new("photo");
    if photo::pixels_of(bytes, origin).is_ok_and(|pixels| pixels > MAX_PIXELS) {
        return;
    }
    let Ok(original) = photo::original(bytes, origin) else { return };
    let rgb = original.rgb();
    match original.warning() {
        None => assert_eq!(rgb, photo::from_bytes(bytes, origin).expect("it was read a moment ago")),
        Some(_) => assert!(photo::from_bytes(bytes, origin).is_err(), "only sound files are read so"),
    }
    let encoded = original.encoded(PhotoFormat::like(&original)).expect("what was read can be written");
    let again = photo::from_bytes(&encoded, origin).expect("what was written can be read");
    assert_eq!(again.dimensions(), rgb.dimensions());
});
