//! `ipcgan devices` and `ipcgan lend`: what was built in and what works here, the choice of one, and its use by others.

use anyhow::Result;
use ipcgan::model::is_the_cpu;
use ipcgan::{Device, DeviceChoice, SelfTest};

use crate::arguments::{DeviceArgument, KernelsArgument, LendArguments};
use crate::{answer, detail, report};

/// The port of `ipcgan lend` without another.
const LEND_PORT: u16 = 7171;

/// Opens the device and says which it is.
pub(crate) fn open(arguments: &DeviceArgument) -> Result<Device> {
    let devices = open_all(std::slice::from_ref(&arguments.device), &arguments.kernels)?;
    Ok(devices.into_iter().next().expect("one choice gives one device"))
}

/// Opens each device and says which they are.
pub(crate) fn open_all(choices: &[DeviceChoice], kernels: &KernelsArgument) -> Result<Vec<Device>> {
    kernels.cpu_kernels.select();
    let devices = choices.iter().map(DeviceChoice::resolve).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = devices.iter().map(described).collect();
    let compiles =
        if devices.iter().all(is_the_cpu) { "" } else { "; what it has not compiled yet takes seconds to a minute" };
    report(&format!("computing on {}{compiles}", names.join(", and on ")));
    detail(format_args!("kernels of the CPU: {}", kernels.cpu_kernels));
    Ok(devices)
}

/// `ipcgan lend`: computes for other machines until Ctrl-C.
pub(crate) fn lend(arguments: &LendArguments) -> Result<()> {
    if !cfg!(feature = "remote") {
        return Err(ipcgan::DeviceError::NotCompiled("remote").into());
    }
    let device = open(&arguments.device)?;
    let listener = arguments.listen.bind(LEND_PORT)?.swap_remove(0);
    report(&format!("lending it as remote:ws://{}; Ctrl-C ends", listener.local_addr()?));
    Ok(ipcgan::lend(device, listener)?)
}

/// `ipcgan devices`: each device with a test of its own.
pub(crate) fn run() -> Result<()> {
    for choice in DeviceChoice::visible() {
        let state = match choice.resolve() {
            Ok(device) => tested(&device),
            Err(error) => format!("does not work: {error}"),
        };
        answer(&format!("{:<14} {state}", choice.to_string()));
    }
    let automatic = DeviceChoice::Auto.resolve()?;
    answer(&format!("{:<14} takes {}", "auto", described(&automatic)));
    Ok(())
}

/// Its name, and its memory if that is known.
fn described(device: &Device) -> String {
    let name = DeviceChoice::describe(device);
    match DeviceChoice::memory(device) {
        Some(bytes) => format!("{name} of {:.1} GB", bytes as f64 / 1e9),
        None => name,
    }
}

fn tested(device: &Device) -> String {
    let name = described(device);
    match SelfTest::of(device) {
        Ok(SelfTest { off_by, first, faces_per_second }) => format!(
            "works: {name}; faces {off_by} of 255 levels off, {faces_per_second:.0} aged in a second, first after {:.1} s",
            first.as_secs_f64()
        ),
        Err(reason) => format!("does not work: {name}; {reason}"),
    }
}
