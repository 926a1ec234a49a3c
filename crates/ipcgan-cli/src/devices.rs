//! `ipcgan devices` and `ipcgan worker`: opens, tests and serves devices.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ipcgan::model::is_flex;
use ipcgan::{Device, DeviceChoice, SelfTest};
use log::info;
use serde::Serialize;

use crate::listen::ListenRequest;
use crate::output::{print_line, with_causes_and_advice};
use crate::request::{text, texts};

/// Default port of `ipcgan worker`.
pub(crate) const WORKER_PORT: u16 = 7171;

/// What `ipcgan devices` does.
#[derive(Debug, Serialize)]
pub(crate) struct DevicesRequest {
    /// Devices to test; empty for all that are found.
    #[serde(serialize_with = "texts")]
    pub(crate) devices: Vec<DeviceChoice>,
    /// Time after which the test of a device is aborted.
    pub(crate) timeout: Duration,
    /// Tests the only device in this process.
    pub(crate) in_process: bool,
}

/// What `ipcgan worker` does.
#[derive(Debug, Serialize)]
pub(crate) struct WorkerRequest {
    pub(crate) listen: ListenRequest,
    #[serde(serialize_with = "text")]
    pub(crate) device: DeviceChoice,
}

/// Opens a device and prints its name.
pub(crate) fn open(choice: &DeviceChoice) -> Result<Device> {
    let devices = open_all(std::slice::from_ref(choice))?;
    Ok(devices.into_iter().next().expect("one choice gives one device"))
}

/// Opens devices and prints their names.
pub(crate) fn open_all(choices: &[DeviceChoice]) -> Result<Vec<Device>> {
    let devices = choices.iter().map(DeviceChoice::resolve).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = choices.iter().zip(&devices).map(|(choice, device)| described(choice, device)).collect();
    let compiles = if devices.iter().all(is_flex) { "" } else { "; compiling new kernels takes seconds to a minute" };
    info!("computing on {}{compiles}", names.join(" and "));
    Ok(devices)
}

/// `ipcgan worker`: serves a device to other machines until Ctrl-C.
pub(crate) fn worker(request: &WorkerRequest) -> Result<()> {
    if !cfg!(feature = "remote") {
        return Err(ipcgan::DeviceError::NotCompiled("remote").into());
    }
    let device = open(&request.device)?;
    let listeners = request.listen.bind()?;
    let addresses = listeners.iter().map(|listener| Ok(format!("remote:ws://{}", listener.local_addr()?)));
    let addresses = addresses.collect::<Result<Vec<_>>>()?;
    info!("serving the device as {}; press Ctrl-C to stop", addresses.join(" and "));
    Ok(ipcgan::serve_device(device, listeners)?)
}

/// Polling interval of a running test.
const POLL: Duration = Duration::from_millis(50);

/// `ipcgan devices`: tests each device in its own process, and prints its result as soon as the test ends.
pub(crate) fn list(request: &DevicesRequest) -> Result<()> {
    if request.in_process {
        return test_in_process(&request.devices);
    }
    let all = request.devices.is_empty();
    let devices =
        if all { [DeviceChoice::visible(), vec![DeviceChoice::Auto]].concat() } else { request.devices.clone() };
    let mut failed = Vec::new();
    for device in devices.iter().map(DeviceChoice::to_string) {
        info!("testing {device} (at most {} s)", request.timeout.as_secs());
        let (state, works) = test(&device, request.timeout)?;
        print_line(&format!("{device:<14} {state}"));
        if !works {
            failed.push(device);
        }
    }
    if !all && !failed.is_empty() {
        bail!("{} of {} devices do not work: {}", failed.len(), devices.len(), failed.join(", "));
    }
    Ok(())
}

/// Result of the test of `device` in its own process, and whether it works.
fn test(device: &str, limit: Duration) -> Result<(String, bool)> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let child = Command::new(program)
        .args(["--quiet", "devices", "--in-process", device])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the test of a device")?;
    let Some((status, output)) = ended(child, limit)? else {
        let seconds = limit.as_secs();
        return Ok((
            format!(
                "does not work: no result within {seconds} s; a driver that compiles slowly needs a longer --timeout"
            ),
            false,
        ));
    };
    match output.trim() {
        "" => Ok((format!("does not work: the test crashed ({status})"), false)),
        state => Ok((state.into(), status.success())),
    }
}

/// Exit status and standard output of `child`; none if it was killed after `limit`.
fn ended(mut child: Child, limit: Duration) -> Result<Option<(ExitStatus, String)>> {
    let start = Instant::now();
    loop {
        // It prints one line, which fits into the pipe buffer.
        if let Some(status) = child.try_wait()? {
            let output = child.wait_with_output()?;
            return Ok(Some((status, String::from_utf8_lossy(&output.stdout).into())));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// Tests one device in this process and prints the result.
fn test_in_process(devices: &[DeviceChoice]) -> Result<()> {
    let [choice] = devices else { bail!("--in-process takes exactly one device") };
    let device = match choice.resolve() {
        Ok(device) if *choice == DeviceChoice::Auto => {
            print_line(&format!("selects {}", described(choice, &device)));
            return Ok(());
        }
        Ok(device) => device,
        Err(error) => {
            print_line(&format!("does not work: {}", with_causes_and_advice(&error.into())));
            bail!("{choice} does not work");
        }
    };
    let name = described(choice, &device);
    match SelfTest::of(&device) {
        Ok(SelfTest { max_difference, first, faces_per_second }) => {
            let first = first.as_secs_f64();
            print_line(&format!(
                "works: {name}; maximum difference {max_difference} of 255 levels, {faces_per_second:.0} faces/s, \
                 first face after {first:.1} s"
            ));
            Ok(())
        }
        Err(error) => {
            print_line(&format!("does not work: {name}; {error}"));
            bail!("{choice} does not work")
        }
    }
}

/// Name of the `device` that `choice` opened, and its memory if that is known.
fn described(choice: &DeviceChoice, device: &Device) -> String {
    let name = DeviceChoice::describe(device);
    match (choice, DeviceChoice::memory(device)) {
        // Burn does not tell the address of an open device.
        (DeviceChoice::Remote(_), _) => format!("{name} ({choice})"),
        (_, Some(bytes)) => format!("{name} of {:.1} GB", bytes as f64 / 1e9),
        (_, None) => name,
    }
}
