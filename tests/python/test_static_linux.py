"""scripts/static-linux.sh checks what it built, and explains what is missing; cargo and rustc are stand-ins."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts/static-linux.sh"


class StaticLinux(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "libdir").mkdir()
        (self.folder / "libdir/libstd-0.rlib").touch()

    def program(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def run_script(self, *arguments: str) -> subprocess.CompletedProcess:
        self.program("rustc", f"echo {self.folder}/libdir")
        environment = os.environ | {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "CARGO_TARGET_DIR": str(self.folder / "target"),
        }
        return subprocess.run([SCRIPT, *arguments], env=environment, capture_output=True, text=True)

    def test_an_unknown_architecture_is_a_usage_error(self) -> None:
        done = self.run_script("x86_64", "arm")

        self.assertEqual(2, done.returncode)
        self.assertIn("unknown architecture arm", done.stderr)

    def test_a_missing_linker_is_explained_with_the_variable_that_names_another(self) -> None:
        self.program("cargo", "echo 'error: linker `rust-lld` not found' >&2; exit 101")

        done = self.run_script("aarch64")

        self.assertEqual(1, done.returncode)
        self.assertIn("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=", done.stderr)

    def test_a_missing_target_is_explained(self) -> None:
        (self.folder / "libdir/libstd-0.rlib").unlink()
        self.program("rustup", "echo 'error: no network' >&2; exit 1")

        done = self.run_script("aarch64")

        self.assertEqual(1, done.returncode)
        self.assertIn("rustup could not add aarch64-unknown-linux-musl", done.stderr)

    def test_a_program_that_needs_a_dynamic_loader_is_refused(self) -> None:
        built = self.folder / "target/x86_64-unknown-linux-musl/release"
        self.program("cargo", f"mkdir -p {built}; cp /bin/ls {built}/ipcgan")

        done = self.run_script("x86_64")

        self.assertEqual(1, done.returncode)
        self.assertIn("is not static", done.stderr)


if __name__ == "__main__":
    unittest.main()
