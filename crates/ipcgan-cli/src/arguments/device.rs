//! The argument `--device`, which most commands have.

use clap::Args;
use ipcgan::{DeviceChoice, DeviceKind};

#[derive(Debug, Args)]
pub(super) struct DeviceArgument {
    #[arg(long, default_value_t = DeviceChoice::default(), value_name = "DEVICE", help = device_help())]
    device: DeviceChoice,
}

fn device_help() -> String {
    let names = DeviceKind::names();
    format!(
        "Device to compute on: {names}; a GPU by number as cuda:1, and remote:ws://HOST:PORT for a machine that runs \
         `ipcgan worker`. `ipcgan devices --help` explains them; `ipcgan devices` lists what works"
    )
}

impl DeviceArgument {
    pub(super) fn choice(self) -> DeviceChoice {
        self.device
    }
}
