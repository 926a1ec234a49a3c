//! The argument `--device`, which most commands have.

use clap::Args;
use ipcgan::model::CpuKernels;
use ipcgan::{DeviceChoice, DeviceKind};

use crate::devices::DeviceRequest;

#[derive(Debug, Args)]
pub(super) struct DeviceArgument {
    #[arg(long, default_value_t = DeviceChoice::default(), value_name = "DEVICE", help = device_help())]
    device: DeviceChoice,
    #[command(flatten)]
    kernels: KernelsArgument,
}

fn device_help() -> String {
    let names = DeviceKind::names();
    format!(
        "Device to compute on: {names}; a GPU by number as cuda:1, and remote:ws://HOST:PORT for a machine that runs \
         `ipcgan worker`. `ipcgan devices --help` explains them; `ipcgan devices` lists what works"
    )
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
