//! `ipcgan devices` and `ipcgan lend`: what was built in and what works here, the choice of one, and its use by others.

use std::net::TcpListener;

use anyhow::{Context, Result};
use ipcgan::{Device, DeviceChoice};

use crate::arguments::{DeviceArgument, KernelsArgument, LendArguments};
use crate::{answer, report};

/// Opens the device and says which it is.
pub(crate) fn open(arguments: &DeviceArgument) -> Result<Device> {
    let devices = open_all(std::slice::from_ref(&arguments.device), &arguments.kernels)?;
    Ok(devices.into_iter().next().expect("one choice gives one device"))
}

/// Opens each device and says which they are.
pub(crate) fn open_all(choices: &[DeviceChoice], kernels: &KernelsArgument) -> Result<Vec<Device>> {
    kernels.cpu_kernels.select();
    let devices = choices.iter().map(DeviceChoice::resolve).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = devices.iter().map(DeviceChoice::describe).collect();
    report(&format!("computing on {}", names.join(", and on ")));
    Ok(devices)
}

/// `ipcgan lend`: computes for other machines until Ctrl-C.
pub(crate) fn lend(arguments: &LendArguments) -> Result<()> {
    let device = open(&arguments.device)?;
    let listener =
        TcpListener::bind(&arguments.listen).with_context(|| format!("cannot listen on {}", arguments.listen))?;
    report(&format!("lending it as remote:ws://{}; Ctrl-C ends", listener.local_addr()?));
    Ok(ipcgan::lend(device, listener)?)
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
