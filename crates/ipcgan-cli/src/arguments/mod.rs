//! Command-line arguments: one file per command, each of which turns them into the request of its command.

mod age;
mod convert;
mod device;
mod devices;
mod evaluate;
mod listen;
mod prepare;
mod serve;
mod train;
mod weights;

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::output::Verbosity;
use age::AgeArguments;
use convert::ConvertArguments;
use devices::{DevicesArguments, WorkerArguments};
use evaluate::EvaluateArguments;
use prepare::PrepareArguments;
use serve::ServeArguments;
use train::TrainArguments;

/// Face ageing with IPCGAN: age photos, and train and evaluate your own models.
#[derive(Debug, Parser)]
#[command(name = "ipcgan", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print only results, warnings and errors.
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Output")]
    quiet: bool,
    /// Print debug output with timestamps, and the messages of Burn and of the GPU libraries.
    #[arg(long, short, global = true, help_heading = "Output")]
    verbose: bool,
}

impl Arguments {
    /// Parses the command line.
    ///
    /// # Errors
    /// The arguments are invalid, or `--help` or `--version` was given.
    pub(crate) fn of_command_line() -> Result<Self, clap::Error> {
        let mut command = with_negative_values(Self::command());
        let matches = command.try_get_matches_from_mut(std::env::args_os())?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }

    /// The verbosity that the flags select.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Allows negative numbers as option values, so that an option's own parser reports them: otherwise `-1` is an unknown
/// option.
fn with_negative_values(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
        if takes_value { argument.allow_negative_numbers(true) } else { argument }
    });
    command.mut_subcommands(with_negative_values)
}

const EXAMPLES: &str = "\
Examples:
  ipcgan age photo.jpg --out aged          the photo at every age group, and a contact sheet of the face
  ipcgan train                             train on synthetic faces, a few minutes
  ipcgan prepare UTKFace --out faces       detect and align the faces of a data set, and split it by identity
  ipcgan train --data faces --preset compact --run runs/faces
  ipcgan train --resume                    continue from the last checkpoint
  ipcgan evaluate runs/faces --data faces  metrics and a report on held-out faces
  ipcgan devices                           list and test the devices of this machine";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the faces in photos at other ages.
    Age(AgeArguments),
    /// Prepare a downloaded data set for training: detect, align and split its faces.
    Prepare(PrepareArguments),
    /// Train the identity network, the age classifier and the GAN.
    Train(TrainArguments),
    /// Evaluate a generator on held-out faces: age accuracy, identity verification, realism.
    Evaluate(EvaluateArguments),
    /// Convert weights between file formats (safetensors, PyTorch, Burn, ONNX).
    Convert(ConvertArguments),
    /// Start a local web server with a page and an HTTP API that age photos.
    Serve(ServeArguments),
    /// List and test the devices that this build supports.
    Devices(DevicesArguments),
    /// Print shell completions.
    #[command(after_help = "\
Examples:
  ipcgan completions bash > ~/.local/share/bash-completion/completions/ipcgan
  ipcgan completions zsh > \"${fpath[1]}/_ipcgan\"
  ipcgan completions fish > ~/.config/fish/completions/ipcgan.fish")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages of all commands to a folder.
    #[command(after_help = "\
Example:
  ipcgan manual ~/.local/share/man/man1 && man ipcgan-age")]
    Manual {
        /// The folder; created if it does not exist.
        folder: PathBuf,
    },
    /// Serve a device of this machine to other machines, which use it as remote:ws://HOST:PORT.
    Worker(WorkerArguments),
}

#[cfg(test)]
mod tests {
    use ipcgan::data::SyntheticConfig;
    use ipcgan::data::preparation::PreparationConfig;
    use serde_json::{Value, json};

    use super::*;

    /// The request of a command line, as JSON.
    fn request(line: &str) -> Value {
        let arguments = Arguments::try_parse_from(["ipcgan"].into_iter().chain(line.split(' '))).unwrap();
        match arguments.command {
            Command::Age(arguments) => serde_json::to_value(arguments.request()),
            Command::Prepare(arguments) => serde_json::to_value(arguments.request().unwrap()),
            Command::Train(arguments) => serde_json::to_value(arguments.request()),
            Command::Evaluate(arguments) => serde_json::to_value(arguments.request()),
            Command::Convert(arguments) => serde_json::to_value(arguments.request().unwrap()),
            Command::Serve(arguments) => serde_json::to_value(arguments.request().unwrap()),
            Command::Devices(arguments) => serde_json::to_value(arguments.request()),
            Command::Worker(arguments) => serde_json::to_value(arguments.request().unwrap()),
            other => panic!("{other:?} has no request"),
        }
        .unwrap()
    }

    #[test]
    fn arguments_become_a_request_with_every_decision_made() {
        let age = request("age a.jpg --to 45,51+ --crops --json --device cuda:1");
        assert_eq!(age["ages"], json!(["45", "51+"]));
        assert_eq!((&age["shown"], &age["report"]), (&json!("crops"), &json!("json")));
        assert_eq!(age["device"], "cuda:1");

        let train = request("train --seed 7 --set aging.steps=3 --device cpu,cuda");
        assert_eq!(train["overrides"], json!(["seed=7", "aging.steps=3"]));
        assert_eq!(train["stages"], json!(["identity", "age", "aging"]));

        let prepare = request("prepare faces --out out --column age=Years --split seeded");
        assert_eq!(prepare["data_set"]["columns"], "age=Years");
        assert_eq!(prepare["split"], "seeded");

        assert_eq!(request("convert a.st b.onnx")["content"], "onnx");
        assert_eq!(request("evaluate --data faces")["max_faces"], 500);
        assert_eq!(request("serve --host ::1")["listen"], json!({ "host": "::1", "port": 8080 }));
        assert_eq!(request("worker --port 1")["listen"]["port"], 1);
        assert_eq!(request("devices cpu")["devices"], json!(["cpu"]));
    }

    #[test]
    fn defaults_are_those_of_the_library() {
        let prepared = request("prepare --source synthetic --out out");

        let config = PreparationConfig::new("synthetic".into()).with_find_duplicates(false);
        assert_eq!(prepared["config"], json!(config));
        assert_eq!(prepared["identities"], SyntheticConfig::new().identities);
    }
}
