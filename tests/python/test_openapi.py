"""`ipcgan serve` does what its OpenAPI description says: schemathesis sends what it allows and what it forbids.

    pip install schemathesis
    python -m unittest tests/python/test_openapi.py
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
IPCGAN = os.environ.get("IPCGAN", str(FOLDER.parents[1] / "target/release/ipcgan"))
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


class OpenApi(unittest.TestCase):
    def test_the_server_does_what_its_description_says(self) -> None:
        server = subprocess.Popen(
            [IPCGAN, "serve", "--port", "0", "--device", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.addCleanup(server.wait, 60)
        self.addCleanup(server.terminate)
        self.addCleanup(server.stdout.close)
        address = server.stdout.readline().strip()

        command = [SCHEMATHESIS, "--config-file", FOLDER / "schemathesis.toml", "run", f"{address}/api/openapi.json"]
        options = ["--max-examples", "20", "--seed", "1", "--generation-database", "none", "--no-color"]
        with tempfile.TemporaryDirectory() as folder:
            hooks = {**os.environ, "SCHEMATHESIS_HOOKS": str(FOLDER / "photos.py")}
            checked = subprocess.run([*command, *options], capture_output=True, text=True, cwd=folder, env=hooks)

        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


if __name__ == "__main__":
    unittest.main()
