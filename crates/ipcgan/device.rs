//! Compute devices: selected by name, and checked before use.

mod choice;
mod driver;
#[cfg(all(feature = "wgpu", target_os = "linux"))]
mod gpu_memory;
mod kind;

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};
use ipcgan_system::try_catch_device_panic;

pub use choice::{DeviceChoice, DeviceError, Gpu};
pub use kind::DeviceKind;

impl DeviceChoice {
    /// All devices found, fastest kind first: each GPU by each API of the build, and the CPU.
    ///
    /// A kind without a device is listed once, by its name; opening it reports what is missing.
    pub fn visible() -> Vec<Self> {
        DeviceKind::ALL.into_iter().filter(DeviceKind::is_local).flat_map(|kind| kind.visible()).collect()
    }

    /// Opens the device, and checks it with a small computation.
    ///
    /// # Errors
    /// It is not part of this build, does not exist, or does not work.
    pub fn resolve(&self) -> Result<Device, DeviceError> {
        let device = self.open()?;
        check(&device).map_err(|reason| self.unusable(reason))?;
        Ok(device)
    }

    /// Human-readable name of a device that [`DeviceChoice::resolve`] returned.
    pub fn describe(device: &Device) -> String {
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        if let Some(identity) = device.identity() {
            return identity.name;
        }
        match device.as_dispatch() {
            DispatchDevice::Flex(_) => "the CPU, by flex".into(),
            #[cfg(feature = "ndarray")]
            DispatchDevice::NdArray(_) => "the CPU, by ndarray".into(),
            #[cfg(feature = "remote")]
            DispatchDevice::Remote(_) => "the device of another machine".into(),
            _ => "a device of another kind".into(),
        }
    }

    /// Memory in bytes of a device that [`DeviceChoice::resolve`] returned; `None` for a CPU, or if it is unknown.
    ///
    /// CUDA, ROCm, Metal and Vulkan report it; for `wgpu` the driver of an NVIDIA or AMD GPU is queried on Linux.
    #[allow(unused_variables, reason = "a CPU-only build has no GPU to query")]
    pub fn memory(device: &Device) -> Option<u64> {
        #[cfg(any(feature = "wgpu", feature = "cuda", feature = "rocm"))]
        if let DispatchDevice::Cube(device) = device.as_dispatch() {
            let client = device.client();
            let properties = client.properties();
            let reported = properties.memory.max_memory();
            #[cfg(all(feature = "wgpu", target_os = "linux"))]
            let reported = reported.or_else(|| gpu_memory::memory(properties.identity.physical.as_ref()?));
            return reported;
        }
        None
    }

    fn unusable(&self, reason: String) -> DeviceError {
        DeviceError::Unusable { device: self.clone(), reason }
    }
}

/// Multiplies two small matrices and checks the result: some drivers fail only when they compute.
fn check(device: &Device) -> Result<(), String> {
    let product = try_catch_device_panic(|| {
        let ones = Tensor::<2>::ones([4, 4], device);
        ones.clone().matmul(ones).sum().try_into_scalar::<f32>().map_err(|error| error.to_string())
    })?;
    match product {
        64.0 => Ok(()),
        wrong => Err(format!("it computes wrong results ({wrong} instead of 64)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "wgpu")]
    #[test]
    fn a_device_that_works_can_be_opened_again() {
        let software = || DeviceChoice::Wgpu(Gpu::Software).resolve();

        // On a machine without a graphics driver there is nothing to open.
        if software().is_ok() {
            software().unwrap();
        }
    }

    #[test]
    fn the_cpu_always_works() {
        assert!(DeviceChoice::Cpu.resolve().is_ok());
    }

    #[test]
    fn the_cpu_is_described_with_its_backend() {
        assert_eq!(DeviceChoice::describe(&Device::flex()), "the CPU, by flex");
    }
}
