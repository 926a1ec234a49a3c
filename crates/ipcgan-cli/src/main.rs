//! The `ipcgan` command: age photos, prepare data sets, train, evaluate, convert weights, serve a web page, list
//! devices and serve them to other machines.

mod advice;
mod age;
mod arguments;
mod convert;
mod devices;
mod evaluate;
mod exit_reason;
mod interrupt;
mod invalid_value;
mod judges;
mod listen;
mod manual;
mod output;
mod prepare;
mod progress;
mod recogniser;
mod request;
mod serve;
mod train;
mod weights;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::CommandFactory;
use exit_reason::{ExitReason, FAILED, MISUSED};
use log::{debug, info};
use request::logged;

/// Panic message of Burn's dashboard when its user chooses to exit immediately.
const KILLED_BY_KEY: &str = "Killing training from user input";

/// Cache-line-aligned allocations, because the kernels read whole vectors, which should not straddle cache lines.
#[global_allocator]
static ALLOCATOR: ipcgan::system::CacheAlignedAllocator = ipcgan::system::CacheAlignedAllocator;

fn main() -> ExitCode {
    prepare_environment();
    output::start_log();
    let arguments = match Arguments::of_command_line() {
        Ok(arguments) => arguments,
        Err(message) => {
            output::clap_message(&message);
            return if message.use_stderr() { ExitCode::from(MISUSED) } else { exit_code(output::check_output()) };
        }
    };
    arguments.verbosity().set();
    // `prepare` processes many small images on many threads, which is faster with one heap per thread.
    if !matches!(arguments.command, Command::Prepare(_)) {
        ipcgan::system::retain_freed_memory();
    }
    let result = ipcgan::system::catch_device_panic(|| run(arguments.command)).unwrap_or_else(|reason| {
        if reason.contains(KILLED_BY_KEY) {
            let text = "stopped immediately; continue from the last checkpoint with the same command and --resume";
            return Err(ExitReason::Stopped(text.into()).into());
        }
        Err(advice::error_of_panic(&reason))
    });
    debug!("exiting");
    exit_code(result.and_then(|()| output::check_output()))
}

/// Prints an error, if there is one, and returns the exit code.
fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit_reason = error.downcast_ref::<ExitReason>();
            match exit_reason {
                Some(ExitReason::Stopped(how_to_continue)) => info!("{how_to_continue}"),
                _ => output::print_error(&error),
            }
            ExitCode::from(exit_reason.map_or(FAILED, ExitReason::code))
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Age(arguments) => age::run(&logged(arguments.request())),
        Command::Prepare(arguments) => prepare::run(&logged(arguments.request()?)),
        Command::Train(arguments) => train::run(&logged(arguments.request())),
        Command::Evaluate(arguments) => evaluate::run(&logged(arguments.request())),
        Command::Convert(arguments) => convert::run(&logged(arguments.request()?)),
        Command::Serve(arguments) => serve::run(&logged(arguments.request()?)),
        Command::Devices(arguments) => devices::list(&logged(arguments.request())),
        Command::Completions { shell } => manual::completions(&mut Arguments::command(), shell),
        Command::Manual { folder } => manual::pages(Arguments::command(), &folder),
        Command::Worker(arguments) => devices::worker(&logged(arguments.request()?)),
    }
}

/// Sets environment variables that libraries read.
///
/// Burn first loads optimizer states to its default device, which in a program built for GPUs is a GPU, even on a
/// machine without one; every other use names its device. And where `XDG_RUNTIME_DIR` is not set, enumerating GPUs
/// through OpenGL prints an irrelevant error of the window system.
#[allow(unsafe_code, reason = "the environment is changed before any thread starts")]
fn prepare_environment() {
    let sockets = "XDG_RUNTIME_DIR";
    // SAFETY: this is the first statement of the program, so nothing reads the environment.
    unsafe {
        std::env::set_var("BURN_DEVICE", "flex");
        if cfg!(target_os = "linux") && std::env::var_os(sockets).is_none_or(|folder| folder.is_empty()) {
            std::env::set_var(sockets, std::env::temp_dir());
        }
    }
}
