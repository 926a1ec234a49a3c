//! The argument `--device`, which most commands have.

use clap::Args;
use ipcgan::DeviceChoice;
use ipcgan::model::CpuKernels;

use crate::devices::DeviceRequest;

#[derive(Debug, Args)]
pub(super) struct DeviceArgument {
    /// Device to compute on: auto, cpu, cuda, rocm, wgpu, vulkan, metal (a GPU by number as cuda:1), or
    /// remote:ws://HOST:PORT for a machine that runs `ipcgan worker`; `ipcgan devices` lists what works.
    #[arg(long, default_value = "auto", value_name = "DEVICE")]
    device: DeviceChoice,
    #[command(flatten)]
    kernels: KernelsArgument,
}

impl DeviceArgument {
    pub(super) fn request(self) -> DeviceRequest {
        DeviceRequest { device: self.device, cpu_kernels: self.kernels.cpu_kernels }
    }
}

#[derive(Debug, Args)]
pub(super) struct KernelsArgument {
    /// CPU kernels: fast (ours), direct (ours without the Winograd algorithm) or burn (those of Burn), for
    /// comparison.
    #[arg(long, default_value_t = CpuKernels::default(), value_name = "KERNELS")]
    pub(super) cpu_kernels: CpuKernels,
}
