//! The `ipcgan` command: age photos, prepare a data set, train, evaluate, convert weights, serve a web page, list devices and
//! lend them.

mod age;
mod arguments;
mod convert;
mod devices;
mod evaluate;
mod exit_reason;
mod interrupt;
mod judges;
mod listen;
mod manual;
mod output;
mod prepare;
mod progress;
mod serve;
mod train;
mod weights;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use exit_reason::ExitReason;
use output::{debug, info, print_line, print_path, warn};

/// Failed while doing what was asked.
const FAILED: u8 = 1;
/// The arguments make no sense.
const MISUSED: u8 = 2;

/// What Burn's dashboard panics with when its user chooses to end the program at once.
const KILLED_BY_KEY: &str = "Killing training from user input";

/// Kernels read whole vectors, which should not touch two lines of the cache.
#[global_allocator]
static ALLOCATOR: ipcgan::model::LineAllocator = ipcgan::model::LineAllocator;

fn main() -> ExitCode {
    prepare_environment();
    let arguments = match Arguments::of_command_line() {
        Ok(arguments) => arguments,
        Err(message) => {
            output::clap_message(&message);
            return if message.use_stderr() { ExitCode::from(MISUSED) } else { exit_code(output::check_output()) };
        }
    };
    arguments.verbosity().set();
    // Preparing is many small pictures on many threads, which are better off with a store each.
    if !matches!(arguments.command, Command::Prepare(_)) {
        ipcgan::model::keep_freed_memory();
    }
    let result = ipcgan::model::guarded(|| run(arguments.command)).unwrap_or_else(|reason| {
        if reason.contains(KILLED_BY_KEY) {
            let text = "stopped at once; go on from the last checkpoint with the same command and --resume";
            return Err(ExitReason::Stopped(text.into()).into());
        }
        Err(anyhow::anyhow!(
            "{reason}; this is a fault of the device, of its driver or of this program, not yours: --device cpu goes another \
             way, and RUST_BACKTRACE=1 shows where it happened"
        ))
    });
    debug("ended");
    exit_code(result.and_then(|()| output::check_output()))
}

/// Says an error, if there is one.
fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit_reason = error.downcast_ref::<ExitReason>();
            match exit_reason {
                Some(ExitReason::Stopped(how_to_go_on)) => info(how_to_go_on),
                _ => output::complain_error(&error),
            }
            ExitCode::from(exit_reason.map_or(FAILED, ExitReason::code))
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Age(arguments) => age::run(&arguments),
        Command::Prepare(arguments) => prepare::run(&arguments),
        Command::Train(arguments) => train::run(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Devices(arguments) => devices::list(&arguments),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual { folder } => manual::pages(&folder),
        Command::Worker(arguments) => devices::worker(&arguments),
    }
}

/// What libraries read from the environment, as this program needs it.
///
/// Burn puts restored optimizer states on its default device first, which in a program built for GPUs is a GPU, even on a
/// machine that has none; every other use names its device. And where no desktop has named a folder for its sockets, looking
/// for GPUs by OpenGL prints an error of the window system, which nobody asked for.
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
