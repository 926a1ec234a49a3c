//! `ipcgan devices`: what was built in and what works here; and the choice of one.

use anyhow::Result;
use ipcgan::{Device, DeviceChoice};

use crate::arguments::DeviceArgument;
use crate::{answer, report};

/// Opens the device and says which it is.
pub(crate) fn open(arguments: &DeviceArgument) -> Result<Device> {
    arguments.cpu_kernels.select();
    let device = arguments.device.resolve()?;
    report(&format!("computing on {}", DeviceChoice::describe(&device)));
    Ok(device)
}

pub(crate) fn run() -> Result<()> {
    for choice in DeviceChoice::compiled() {
        let state = match choice.resolve() {
            Ok(device) => format!("works: {}", DeviceChoice::describe(&device)),
            Err(error) => format!("{error}"),
        };
        answer(&format!("{:<10} {state}", choice.to_string()));
    }
    let automatic = DeviceChoice::Auto.resolve()?;
    answer(&format!("{:<10} takes {}", "auto", DeviceChoice::describe(&automatic)));
    Ok(())
}
