//! Arguments of `ipcgan devices` and `ipcgan worker`.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, value_parser};
use ipcgan::{DeviceChoice, DeviceKind};

use super::device::DeviceArgument;
use super::listen::ListenArguments;
use crate::devices::{DevicesRequest, WORKER_PORT, WorkerRequest};

#[derive(Debug, Args)]
#[command(after_help = devices_help())]
pub(crate) struct DevicesArguments {
    /// Devices to test, such as cpu, wgpu:software or cuda:1. Default: all that are found.
    #[arg(value_name = "DEVICE")]
    devices: Vec<DeviceChoice>,
    /// Seconds after which the test of a device is aborted.
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = value_parser!(u16).range(1..=3600))]
    timeout: u16,
    /// Test one device in this process and print only its result.
    #[arg(long, hide = true)]
    in_process: bool,
}

/// Examples, and the table of devices.
fn devices_help() -> String {
    let mut help = String::from(
        "\
Examples:
  ipcgan devices                   list and test all devices
  ipcgan devices cuda:1 cpu        test only these
  ipcgan devices --timeout 300     for drivers that compile slowly

Devices:
",
    );
    for kind in DeviceKind::ALL {
        let (name, meaning) = (kind.name, kind.meaning);
        let missing = kind.feature.filter(|_| !kind.is_compiled());
        let missing =
            missing.map(|feature| format!(" (not in this build; `--features {feature}`)")).unwrap_or_default();
        help += &format!("  {name:<8} {meaning}{missing}\n");
    }
    help + "
A test ages a face on the device and on the CPU, compares the results, and measures the throughput for
two seconds; the time to the first face includes kernel compilation. Each test runs in its own process,
so a driver that crashes or hangs is reported and the next device is tested. The exit code is 1 if a
device named on the command line fails."
}

impl DevicesArguments {
    pub(crate) fn request(self) -> DevicesRequest {
        DevicesRequest {
            devices: self.devices,
            timeout: Duration::from_secs(self.timeout.into()),
            in_process: self.in_process,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ipcgan worker --device cuda                              on the machine with the GPU
  ssh -N -L 7171:localhost:7171 gpu-machine                on yours: a tunnel through an untrusted network
  ipcgan train --data faces --device remote:ws://localhost:7171

Both programs must be built from the same version with `--features remote`. There is no authentication
and no encryption: listen on other addresses than localhost only in a trusted network.")]
pub(crate) struct WorkerArguments {
    #[command(flatten)]
    listen: ListenArguments,
    #[command(flatten)]
    device: DeviceArgument,
}

impl WorkerArguments {
    /// # Errors
    /// The host and the port contradict each other.
    pub(crate) fn request(self) -> Result<WorkerRequest> {
        Ok(WorkerRequest { listen: self.listen.request(WORKER_PORT)?, device: self.device.choice() })
    }
}
