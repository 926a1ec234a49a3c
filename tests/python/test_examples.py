"""The Python examples give what the command gives, and other programs read what it writes.

    pip install numpy pillow onnx onnxruntime safetensors     (and torch, for the tests that need it)
    python -m unittest discover tests/python
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
IPCGAN = os.environ.get("IPCGAN", str(ROOT / "target/release/ipcgan"))
EXAMPLES = ROOT / "examples/python"
PHOTO = ROOT / "assets/photos/eileen-collins-face.png"
WEIGHTS = ROOT / "assets/weights/generator.safetensors"
GROUPS = ["11-20", "21-30", "31-40", "41-50", "51+"]

needs_torch = unittest.skipUnless(importlib.util.find_spec("torch"), "PyTorch is not installed")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def levels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), np.int16)


class Examples(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        # As large as the generator sees it, because each program makes pictures smaller in its own way.
        self.face = self.folder / "face.png"
        Image.open(PHOTO).resize((128, 128), Image.Resampling.BICUBIC).save(self.face)

    def ours(self) -> list[np.ndarray]:
        """The face at every age group, by the command."""
        out = self.folder / "ours"
        run(IPCGAN, "age", self.face, "--aligned", "--out", out, "--device", "cpu")
        return [levels(out / f"face-{group}.png") for group in GROUPS]

    def check(self, theirs: list[np.ndarray]) -> None:
        for group, ours, other in zip(GROUPS, self.ours(), theirs, strict=True):
            difference = np.abs(ours - other)
            # Rounding to a level may go either way where a value lies between two.
            self.assertLessEqual(difference.max(), 1, group)
            self.assertLess((difference > 0).mean(), 1e-3, group)

    def test_onnx_runtime_gives_the_faces_of_the_command(self) -> None:
        model = self.folder / "generator.onnx"
        run(IPCGAN, "convert", WEIGHTS, model)
        onnx.checker.check_model(str(model), full_check=True)

        run(sys.executable, EXAMPLES / "age_with_onnx.py", model, self.face, self.folder / "theirs")

        self.check([levels(self.folder / "theirs" / f"face-{group}.png") for group in GROUPS])

    @needs_torch
    def test_pytorch_gives_the_faces_of_the_command(self) -> None:
        strip = self.folder / "strip.png"

        run(sys.executable, EXAMPLES / "load_weights.py", WEIGHTS, self.face, strip)

        faces = levels(strip)
        self.check(np.split(faces, len(GROUPS) + 1, axis=1)[1:])

    @needs_torch
    def test_pytorch_loads_its_own_form_and_what_it_saves_comes_back(self) -> None:
        import torch
        from safetensors.torch import load_file

        ours, theirs, back = (self.folder / name for name in ("ours.pth", "theirs.pth", "back.safetensors"))
        run(IPCGAN, "convert", WEIGHTS, ours)
        loaded = torch.load(ours, weights_only=True)
        self.assertEqual(loaded["network"], "generator")
        torch.save(loaded["state_dict"], theirs)

        run(IPCGAN, "convert", theirs, back, "--metadata-from", WEIGHTS)

        expected = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
        found = load_file(back)
        self.assertEqual(found.keys(), expected.keys())
        for name, tensor in expected.items():
            self.assertTrue(torch.equal(tensor, loaded["state_dict"][name]), name)
            self.assertTrue(torch.equal(tensor, found[name]), name)


if __name__ == "__main__":
    unittest.main()
