"""The documentation: links lead somewhere, commands exist, and code is compiled, run, or marked as neither.

python -m unittest tests/python/test_docs.py     (IPCGAN: the path of the program)
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/site"))

import backends  # noqa: E402
import check  # noqa: E402
import commands  # noqa: E402
import markdown_page as markdown  # noqa: E402

IPCGAN = str(Path(os.environ.get("IPCGAN", ROOT / "target/release/ipcgan")).resolve())
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "assets/*/*.md", "crates/*/*.md", "fuzz/*.md", "tests/*/*.md")
    for path in ROOT.glob(pattern)
)
SUMMARY = ROOT / "docs/SUMMARY.md"
CHANGELOG = ROOT / "CHANGELOG.md"

# What the first words after the fence of a code block say; docs/publishing.md explains them to authors.
COMPILED = {"rust", "rust,no_run"}
RUN = {"sh,run"}
PARSED = {"json": json.loads, "python": ast.parse, "toml": tomllib.loads}
NEITHER = {"sh", "rs", "text"}


class Links(unittest.TestCase):
    def test_every_relative_link_and_anchor_of_a_page_exists(self) -> None:
        self.assertEqual([], [message for page in PAGES for message in markdown.broken_links(page)])

    def test_every_page_of_the_documentation_is_in_the_navigation(self) -> None:
        text = SUMMARY.read_text(encoding="utf-8")
        listed = {markdown.resolved(SUMMARY, text[start:end])[0] for start, end in markdown.links(text)}
        self.assertEqual(set(), set((ROOT / "docs").glob("*.md")) - {SUMMARY} - listed)

    def test_a_missing_file_and_a_missing_heading_are_found(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text("# One two\n[a](#one-two) [b](#three) [c](none.md)\n\n[d]: also-none.md\n`[e](code)`\n")
            self.assertEqual(
                ["page.md:2: #three", "page.md:2: none.md", "page.md:4: also-none.md"],
                [
                    ": ".join(message.removeprefix(f"{folder}/").split(": ")[:2])
                    for message in markdown.broken_links(page)
                ],
            )

    def test_a_site_with_a_broken_link_or_anchor_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder)
            (site / "a.html").write_text(
                '<h1 id="top">A</h1><a href="b.html#there">b</a><a href="https://example.org">c</a>'
            )
            (site / "b.html").write_text('<p id="there"></p><a href="a.html#gone">a</a><img src="none.png">')
            checked, messages = check.broken_links(site)
            self.assertEqual(3, checked)
            self.assertEqual(
                ["b.html:1: a.html#gone", "b.html:1: none.png"], [": ".join(m.split(": ")[:2]) for m in messages]
            )


class CodeBlocks(unittest.TestCase):
    def test_every_code_block_is_compiled_or_run_or_parsed_or_marked_as_neither(self) -> None:
        known = COMPILED | RUN | PARSED.keys() | NEITHER
        blocks = [(page, block) for page in PAGES for block in markdown.code_blocks(page.read_text(encoding="utf-8"))]
        self.assertEqual(
            [], [f"{page}:{block.line}: ```{block.info}" for page, block in blocks if block.info not in known]
        )

    def test_json_python_and_toml_can_be_parsed(self) -> None:
        for page in PAGES:
            for block in markdown.code_blocks(page.read_text(encoding="utf-8")):
                with self.subTest(f"{page}:{block.line}"):
                    PARSED.get(block.info, str)(block.text)

    def test_every_page_with_rust_code_is_part_of_the_doctests(self) -> None:
        libraries = [*ROOT.glob("crates/*/lib.rs"), *ROOT.glob("crates/*/src/lib.rs")]
        compiled = {
            (library.parent / name).resolve()
            for library in libraries
            for name in re.findall(r'doc = include_str!\("([^"]+\.md)"\)', library.read_text(encoding="utf-8"))
        }
        with_rust = {
            page
            for page in PAGES
            for block in markdown.code_blocks(page.read_text(encoding="utf-8"))
            if block.info in COMPILED
        }
        self.assertEqual(set(), with_rust - compiled)

    def test_blocks_marked_as_run_succeed(self) -> None:
        for page in PAGES:
            for block in markdown.code_blocks(page.read_text(encoding="utf-8")):
                if block.info in RUN:
                    with self.subTest(f"{page}:{block.line}"), tempfile.TemporaryDirectory() as folder:
                        prepare_files_of_a_reader(Path(folder))
                        done = subprocess.run(
                            ["bash", "-euo", "pipefail", "-c", block.text],
                            cwd=folder,
                            env=os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}"},
                            stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT,
                            text=True,
                        )
                        self.assertEqual(0, done.returncode, done.stdout)


def prepare_files_of_a_reader(folder: Path) -> None:
    """The program on the path, and the files that pages speak of, by their names there."""
    (folder / "bin").mkdir()
    (folder / "bin/ipcgan").symlink_to(IPCGAN)
    (folder / "assets").symlink_to(ROOT / "assets")
    photos = ROOT / "assets/photos"
    for name in ("photo.jpg", "party.jpg", "holidays/1.jpg", "frames/00001.jpg", "frames/00002.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(photos / "grace-hopper.jpg", folder / name)
    shutil.copyfile(photos / "grace-hopper-face.png", folder / "crop.png")
    weights = folder / "generator.safetensors"
    shutil.copyfile(ROOT / "assets/weights/generator.safetensors", weights)
    subprocess.run([IPCGAN, "convert", weights, folder / "theirs.pth"], check=True, stdout=subprocess.DEVNULL)


class Commands(unittest.TestCase):
    def setUp(self) -> None:
        self.program = commands.Program(IPCGAN)

    def test_commands_name_existing_subcommands_options_settings_and_files(self) -> None:
        # The changelog also has the names that were changed.
        pages = [page for page in PAGES if page != CHANGELOG]
        self.assertEqual([], [error for page in pages for error in commands.errors_of_page(page, self.program)])

    def check(self, expected: list[str], text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "page.md"
            page.write_text(text)
            errors = commands.errors_of_page(page, self.program)
            self.assertEqual(expected, [error.split("`: ")[1] for error in errors])

    def test_an_unknown_subcommand_or_option_is_found_in_blocks_and_in_text(self) -> None:
        self.check(["there is no subcommand grow"], "```sh\nRUST_LOG=debug ipcgan grow x\n```\n")
        self.check(["age has no option --too"], "```sh\nipcgan age a.jpg \\\n    --too 5 > out  # --three\n```\n")
        self.check(["train has no option --fast"], "```sh,run\ncd x && cargo run --release -- train --fast\n```\n")
        self.check(["serve has no option --ports"], "Start `ipcgan serve --ports\n80`.\n")
        self.check(["no subcommand has the option --ports"], "Use `--ports`.\n")

    def test_an_unknown_setting_or_preset_is_found(self) -> None:
        for command, message in {
            "ipcgan train --preset huge": "`huge` is neither a preset",
            "ipcgan train --set aging.steps=1 --set aging.stops=1": "unknown setting `stops`",
        }.items():
            (error,) = commands.errors_of(command.split(), self.program)
            self.assertIn(message, error)

    def test_unknown_programs_and_files_of_the_project_are_found(self) -> None:
        self.check(["assets/none.jpg does not exist"], "`ipcgan age assets/none.jpg`\n")
        self.check(["scripts/none.sh does not exist"], "```sh\nscripts/none.sh\n```\n")
        self.check(["--bench none does not exist"], "```sh\ncargo bench --bench none\n```\n")
        self.assertIn("unknown program ipcgna", commands.errors_of(["ipcgna", "age"], self.program)[0])


class Backends(unittest.TestCase):
    def test_the_page_is_that_of_the_stored_measurements(self) -> None:
        self.assertEqual(backends.page(), backends.PAGE.read_text(encoding="utf-8"), "run docs/backends.sh")

    def test_a_row_has_the_rates_of_all_devices_and_the_highest_is_bold(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "machine.toml").write_text('title = "T"\nmachine = "M"\ncommand = "C"\n')
            (path / "devices.md").write_text(
                "| device | is | matrix product, GFLOP/s |\n|---|---|---|\n| cpu | one | 10.0 |\n| cuda | two | 1000.0 |\n\n"
                "| work | batch | device | a second | fraction of the matrix product |\n|---|---|---|---|---|\n"
                "| generator, tiny | 8 | cpu | 1.5 | 27% |\n| generator, tiny | 8 | cuda | 1234 |  |\n"
            )
            section = backends.section(path)
        self.assertIn("| generator, tiny, faces/s | 8 | 1.5 (27%) | **1,234** |", section)
        self.assertIn("M; `C`.", section)


if __name__ == "__main__":
    unittest.main()
