"""Checks the commands of the documentation: subcommands, options, settings, and the names and files that they mention."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from markdown_page import code_blocks, code_spans

ROOT = Path(__file__).resolve().parents[2]
# Programs of others that pages use; another name may be a typing error.
OTHER_PROGRAMS = {"cd", "curl", "ffmpeg", "git", "gzip", "maturin", "node", "npm", "pip", "podman", "time"}
PYTHON = {"python", "python3"}
# Folders of the project whose files commands name.
PROJECT_FOLDERS = (".ci/", "assets/", "benches/", "crates/", "docs/", "examples/", "scripts/", "tests/")
# Options of cargo that pages mention alone.
CARGO_OPTIONS = {"--example", "--features", "--no-default-features", "--no-verify", "--release", "--test", "-p"}
# A setting that docs/extending.md explains how to add.
NEW_SETTINGS = {"aging.weights.pixel=20"}
OPTION = re.compile(r"--?[a-z][a-z0-9-]*")


class Program:
    """The built program, and what it says of its options."""

    def __init__(self, path: str) -> None:
        self.path = path

    def _help(self, *subcommand: str) -> str:
        return subprocess.run([self.path, *subcommand, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout

    @cache
    def subcommands(self) -> frozenset[str]:
        listed = self._help().split("Commands:\n")[1].split("\n\n")[0]
        return frozenset(re.findall(r"^  ([a-z]+)(?= )", listed, re.MULTILINE))

    @cache
    def options(self, *subcommand: str) -> frozenset[str]:
        text = self._help(*subcommand)
        named = re.findall(r"^ +((?:-[a-zA-Z], )?--[a-z][a-z0-9-]*)", text, re.MULTILINE)
        aliases = re.findall(r"\[alias(?:es)?: ([^\]]+)\]", text)
        return frozenset(option for group in [*named, *aliases] for option in group.split(", "))

    @cache
    def all_options(self) -> frozenset[str]:
        commands = [(name,) for name in self.subcommands() if name != "help"]
        return self.options().union(*(self.options(*command) for command in commands))

    @cache
    def training_error(self, option: str, value: str) -> str:
        """What `train` says against a value of --set or --preset. It never trains: a setting that does not exist stops it."""
        command = [self.path, "train", option, value, "--set", "no_such_setting=1"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2, done
        return "" if "`no_such_setting=1`" in done.stderr else done.stderr.strip()


def errors_of_page(page: Path, program: Program) -> list[str]:
    """A message for each command of the page, in `sh` blocks and in its text, that names what does not exist."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in code_blocks(text):
        if block.info.split(",")[0] == "sh":
            found += [(block.line, command) for command in commands(block.text)]
    for line, span in code_spans(text):
        if re.match(r"(ipcgan|cargo run) |--?[a-z]", span):
            found += [(line, command) for command in commands(span)]
    return [
        f"{page}:{line}: `{shlex.join(words)}`: {error}" for line, words in found for error in errors_of(words, program)
    ]


def commands(script: str) -> Iterator[list[str]]:
    """The words of each command of a shell script, without variables set for it and redirections."""
    # A hash within a word is not a comment.
    for line in re.sub(r"(^|\s)#[^\n]*", r"\1", script.replace("\\\n", " ")).split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
        lexer.whitespace_split, lexer.commenters = True, ""
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not set(word) <= set(";&|"):
                words.append(word)
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield without_redirections(words)
            words = []


def without_redirections(words: list[str]) -> list[str]:
    kept: list[str] = []
    skip = False
    for word in words:
        if set(word) <= set("<>&"):
            skip = True
        elif skip:
            skip = False
        else:
            kept.append(word)
    return kept


def errors_of(words: list[str], program: Program) -> list[str]:
    """What is wrong with a command, or with options that stand alone."""
    first, *rest = words
    if first == "ipcgan":
        return errors_of_arguments(rest, program)
    if first == "cargo":
        return errors_of_cargo(rest, program)
    if OPTION.fullmatch(first):
        unknown = [
            word for word in words if OPTION.fullmatch(word) and word not in program.all_options() | CARGO_OPTIONS
        ]
        return [f"no subcommand has the option {option}" for option in unknown] + training_errors(words, program)
    paths = [word for word in words if word.startswith(PROJECT_FOLDERS) or (first in PYTHON and word.endswith(".py"))]
    missing = [f"{path} does not exist" for path in paths if not (ROOT / path).exists()]
    if first in OTHER_PROGRAMS | PYTHON or first in paths:
        return missing
    return [f"unknown program {first}; if there is one, add it to OTHER_PROGRAMS in {__file__}"]


def errors_of_arguments(words: list[str], program: Program) -> list[str]:
    """What is wrong with the arguments of `ipcgan`."""
    if not words:
        return []
    subcommand, *rest = words
    if subcommand.startswith("-"):
        known = program.options()
    elif subcommand in program.subcommands():
        known = program.options(subcommand)
    else:
        return [f"there is no subcommand {subcommand}"]
    options = [word.split("=")[0] for word in words if OPTION.fullmatch(word.split("=")[0])]
    errors = [f"{subcommand} has no option {option}" for option in options if option not in known]
    files = [word for word in rest if word.startswith("assets/")]
    errors += [f"{path} does not exist" for path in files if not (ROOT / path).exists()]
    return errors + training_errors(words, program)


def training_errors(words: list[str], program: Program) -> list[str]:
    """What is wrong with settings and with the names of presets."""
    errors = []
    for option, value in zip(words, words[1:]):
        if option == "--set" and value not in NEW_SETTINGS and not re.fullmatch(r"key=value|\w+=[A-Z]+", value):
            errors.append(program.training_error(option, value))
        elif option == "--preset" and re.fullmatch(r"[a-z-]+", value):
            errors.append(program.training_error(option, value))
    return [error for error in errors if error]


def errors_of_cargo(words: list[str], program: Program) -> list[str]:
    """What is wrong with the arguments of cargo: features, targets and packages that do not exist."""
    place = words.index("--") if "--" in words else len(words)
    arguments, rest = words[:place], words[place + 1 :]
    errors = []
    for option, value in zip(arguments, arguments[1:]):
        is_known = CARGO_VALUES.get(option)
        if is_known and not is_known(value):
            errors.append(f"{option} {value} does not exist")
    if arguments[0] == "run" and "--example" not in arguments and rest:
        errors += errors_of_arguments(rest, program)
    return errors


@cache
def manifest(package: str) -> dict:
    return tomllib.loads((ROOT / package / "Cargo.toml").read_text(encoding="utf-8"))


def is_example(name: str) -> bool:
    declared = {example["name"] for example in manifest("").get("example", [])}
    paths = (ROOT / "examples" / f"{name}.rs", ROOT / "examples" / name / "main.rs")
    return name == "NAME" or name in declared or any(path.is_file() for path in paths)


def is_test(name: str) -> bool:
    folders = [ROOT / "tests", *ROOT.glob("crates/*/tests")]
    return any((folder / f"{name}.rs").is_file() or (folder / name / "main.rs").is_file() for folder in folders)


def are_features(names: str) -> bool:
    known = manifest("").get("features", {}).keys() | manifest("crates/ipcgan-cli").get("features", {}).keys()
    return set(names.split(",")) <= known


# Whether the value of an option of cargo names something of this project.
CARGO_VALUES: dict[str, Callable[[str], bool]] = {
    "--bench": lambda name: name in {bench["name"] for bench in manifest("")["bench"]},
    "--example": is_example,
    "--features": are_features,
    "--path": lambda path: (ROOT / path / "Cargo.toml").is_file(),
    "--test": is_test,
    "-p": lambda name: (ROOT / "crates" / name / "Cargo.toml").is_file(),
}
