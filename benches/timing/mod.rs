//! Time measurement on asynchronous devices.

#[allow(dead_code, reason = "not every benchmark has a unit of its own")]
pub(crate) mod rate;

use std::time::{Duration, Instant};

use burn::tensor::Device;
use criterion::Bencher;
use criterion::measurement::Measurement;

/// Time of the given number of repetitions, until the device has finished all of them.
pub(crate) fn until_done<M: Measurement<Value = Duration>>(
    bencher: &mut Bencher<'_, M>,
    device: &Device,
    mut work: impl FnMut(),
) {
    bencher.iter_custom(|repetitions| -> Duration {
        device.sync().expect("the device works");
        let start = Instant::now();
        (0..repetitions).for_each(|_| work());
        device.sync().expect("the device works");
        start.elapsed()
    });
}
