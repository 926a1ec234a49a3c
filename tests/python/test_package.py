"""The Python package `ipcgan` gives what the command gives, as Python's users expect it.

    pip install ./crates/ipcgan-python numpy pillow safetensors matplotlib mypy
    python -m unittest tests/python/test_package.py
"""

import json
import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path

import ipcgan
import numpy as np
from PIL import Image, ImageCms
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
IPCGAN = os.environ.get("IPCGAN", str(ROOT / "target/release/ipcgan"))
# A Python in which the package is installed with what it depends on, and nothing else.
CLEAN_PYTHON = os.environ.get("IPCGAN_CLEAN_PYTHON", sys.executable)
JPEG = ROOT / "assets/photos/grace-hopper.jpg"
FACE = ROOT / "assets/photos/eileen-collins-face.png"
WEIGHTS = ROOT / "assets/weights/generator.safetensors"


def portrait() -> Image.Image:
    """A small portrait, which is aged quickly."""
    return Image.open(JPEG).convert("RGB").resize((256, 300))


def by_command(photo: Path, to: object = 60) -> Image.Image:
    """`photo` as the command ages it, without loss."""
    out = photo.parent / "by-command"
    command = [IPCGAN, "age", photo, "--to", to, "--device", "cpu", "--format", "png", "--out", out]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return Image.open(out / f"{photo.stem}-{to}.png")


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.aging = ipcgan.Aging(device="cpu")

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def assert_same(self, ours: object, theirs: Image.Image) -> None:
        self.assertTrue(np.array_equal(np.asarray(ours), np.asarray(theirs)))

    def message(self, kind: type, work: object) -> str:
        with self.assertRaises(kind) as caught:
            work()
        self.assertIs(type(caught.exception), kind)
        return str(caught.exception)


class Ageing(PackageTest):
    def test_a_photo_is_aged_in_three_lines_with_only_numpy_and_pillow(self) -> None:
        photo = self.folder / "photo.jpg"
        portrait().save(photo, quality=95)
        lines = [
            "import ipcgan",
            f"image = ipcgan.age({str(photo)!r}, to=60)",
            f"image.save({str(self.folder / 'aged.png')!r})",
            # The lines above are the three; what follows checks them.
            "import sys, PIL.Image",
            "assert type(image) is PIL.Image.Image, image",
            "assert not {'torch', 'onnxruntime', 'matplotlib', 'safetensors'} & sys.modules.keys()",
        ]

        # Away from the sources, which must not be what is imported.
        subprocess.run([CLEAN_PYTHON, "-c", "\n".join(lines)], check=True, cwd=self.folder)

        with Image.open(self.folder / "aged.png") as aged:
            self.assertEqual(aged.size, (256, 300))
            self.assertFalse(np.array_equal(aged, Image.open(photo)))

    def test_an_array_is_aged_as_by_the_command(self) -> None:
        photo = self.folder / "photo.png"
        portrait().save(photo)
        array = np.asarray(portrait())

        aged = self.aging.age(array, 60)

        self.assertEqual((type(aged), aged.dtype, aged.shape), (np.ndarray, np.uint8, (300, 256, 3)))
        self.assertTrue(aged.flags.writeable)
        self.assert_same(aged, by_command(photo))
        self.assert_same(array, portrait())

    def test_arrays_of_any_layout_are_the_same_image(self) -> None:
        array = np.asarray(portrait())
        expected = self.aging.age(array, "51+")

        self.assert_same(self.aging.age(np.asfortranarray(array), "51+"), expected)
        self.assert_same(self.aging.age(np.repeat(array, 2, axis=1)[:, ::2], "51+"), expected)

    def test_photos_of_every_mode_are_aged_as_by_the_command_and_keep_it(self) -> None:
        clear = portrait()
        clear.putalpha(Image.linear_gradient("L").resize(clear.size))
        for mode, image in [("RGB", portrait()), ("L", portrait().convert("L")), ("RGBA", clear)]:
            photo = self.folder / f"{mode}.png"
            image.save(photo)

            of_image, of_path = self.aging.age(image, 60), self.aging.age(photo, 60)

            self.assertEqual((of_image.mode, of_path.mode), (mode, mode))
            self.assert_same(of_image, by_command(photo))
            self.assert_same(of_path, of_image)

    def test_palette_images_are_aged_as_rgb_and_other_modes_are_rejected(self) -> None:
        palette = portrait().quantize(64)

        self.assert_same(self.aging.age(palette, 60), self.aging.age(palette.convert("RGB"), 60))
        for mode in ("I", "F", "I;16"):
            image = Image.new(mode, (64, 64))
            self.assertIn(f"mode {mode}", self.message(ValueError, lambda: self.aging.age(image, 60)))

    def test_a_jpeg_is_decoded_as_by_the_command(self) -> None:
        photo = self.folder / "photo.jpg"
        portrait().save(photo, quality=95)

        self.assert_same(ipcgan.age(photo, to="51+", device="cpu"), by_command(photo, "51+"))

    def test_a_photo_taken_sideways_is_aged_upright_and_keeps_its_exif_and_colour_profile(self) -> None:
        photo = self.folder / "sideways.jpg"
        exif = Image.Exif()
        exif[0x0112], exif[0x0110] = 6, "camera"
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        portrait().transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif, icc_profile=profile, quality=95)

        with Image.open(photo) as opened:
            images = [self.aging.age(photo, 60), self.aging.age(opened, 60)]
        for image in images:
            self.assertEqual(image.size, (256, 300))
            self.assertEqual(image.getexif().get(0x0112, 1), 1)
            self.assertEqual(image.getexif()[0x0110], "camera")
            self.assertEqual(image.info["icc_profile"], profile)

    def test_a_profile_of_other_colours_is_not_kept(self) -> None:
        photo = portrait().convert("CMYK")
        photo.info["icc_profile"] = b"of a press"

        self.assertNotIn("icc_profile", self.aging.age(photo, 60).info)

    def test_many_ages_are_those_of_single_calls_and_a_strength_of_zero_changes_nothing(self) -> None:
        photo = portrait()

        many = self.aging.at_ages(photo, [20, np.int64(45), "51+"])

        self.assertEqual(len(many), 3)
        for age, image in zip((20, 45, "51+"), many):
            self.assert_same(image, self.aging.age(photo, age))
        self.assert_same(self.aging.age(photo, 60, strength=0), photo)
        self.assertEqual(self.aging.at_ages(photo, []), [])

    def test_faces_are_found_from_left_to_right_and_can_be_aged_alone(self) -> None:
        left, right = portrait(), Image.open(FACE).convert("RGB").resize((300, 300))
        both = np.concatenate([np.asarray(left), np.asarray(right)], axis=1)

        first, second = self.aging.faces(both)
        aged = self.aging.age(both, 60, faces=[second])

        self.assertEqual((first.number, second.number), (1, 2))
        self.assertLess(first.bounds[0], second.bounds[0])
        self.assertEqual((first.landmarks.shape, first.landmarks.dtype), ((5, 2), np.float32))
        size = self.aging.image_size
        self.assertEqual((first.aligned.shape, first.aligned.dtype), ((size, size, 3), np.uint8))
        self.assertGreater(first.score, 0.6)
        changed = np.flatnonzero((aged != both).any(axis=(0, 2)))
        self.assertGreater(changed.min(), first.bounds[0] + first.bounds[2])
        self.assert_same(self.aging.age(both, 60, faces=[first, second]), self.aging.age(both, 60))
        self.assertEqual(self.aging.faces(np.zeros((64, 64, 3), np.uint8)), [])

    def test_the_python_lock_is_released_while_ageing(self) -> None:
        photo = np.asarray(Image.open(JPEG).convert("RGB"))
        done, pauses = threading.Event(), []

        def count() -> None:
            last = time.perf_counter()
            while not done.is_set():
                now = time.perf_counter()
                pauses.append(now - last)
                last = now

        counting = threading.Thread(target=count)
        counting.start()
        try:
            start = time.perf_counter()
            # One call of the native module, in which no Python code runs that could let the other thread go on.
            self.aging.at_ages(photo, [age for age in range(11, 61)])
            elapsed = time.perf_counter() - start
        finally:
            done.set()
            counting.join()

        self.assertLess(max(pauses), elapsed / 2)

    def test_threads_share_an_object(self) -> None:
        photo, results = portrait(), {}
        expected = {age: self.aging.age(photo, age) for age in (15, 35, 55)}

        def work(age: int) -> None:
            results[age] = self.aging.age(photo, age)

        threads = [threading.Thread(target=work, args=(age,)) for age in expected]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for age, image in expected.items():
            self.assert_same(results[age], image)

    def test_the_example_draws_a_strip(self) -> None:
        strip = self.folder / "strip.png"

        subprocess.run([sys.executable, ROOT / "examples/python/strip.py", strip, FACE], check=True, capture_output=True)

        with Image.open(strip) as image:
            self.assertGreater(image.width, 5 * image.height)

    def test_type_hints_pass_strict_checking(self) -> None:
        program = self.folder / "program.py"
        program.write_text(
            "import ipcgan, numpy as np, PIL.Image\n"
            "import numpy.typing as npt\n"
            "image: PIL.Image.Image = ipcgan.age('photo.jpg', to=60)\n"
            "aging = ipcgan.Aging(weights=None, device='auto')\n"
            "array: npt.NDArray[np.uint8] = aging.age(np.zeros((9, 9, 3), np.uint8), '51+', faces=[])\n"
            "edges = [face.bounds[0] + 1 for face in aging.faces(image)]\n"
            "tensors: dict[str, npt.NDArray[np.float32]] = ipcgan.load_generator('x').tensors\n"
        )
        wrong = self.folder / "wrong.py"
        wrong.write_text("import ipcgan\nnumber: int = ipcgan.age('photo.jpg', to=60)\n")
        mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", self.folder / "cache"]

        checked = subprocess.run([*mypy, program], capture_output=True, text=True, cwd=self.folder)
        package = subprocess.run([*mypy, "-p", "ipcgan"], capture_output=True, text=True, cwd=self.folder)
        refused = subprocess.run([*mypy, wrong], capture_output=True, text=True, cwd=self.folder)

        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertEqual(package.returncode, 0, package.stdout)
        self.assertIn('expression has type "Image"', refused.stdout)


class Errors(PackageTest):
    def test_files_that_cannot_be_read_raise_the_errors_of_python(self) -> None:
        missing = self.folder / "missing.jpg"
        for work in (
            lambda: ipcgan.age(missing, to=60),
            lambda: self.aging.faces(str(missing)),
            lambda: ipcgan.Aging(weights=missing, device="cpu"),
            lambda: ipcgan.load_generator(missing),
        ):
            with self.assertRaises(FileNotFoundError) as caught:
                work()
            self.assertEqual(caught.exception.filename, str(missing))
            self.assertIn("No such file", str(caught.exception))
        self.message(IsADirectoryError, lambda: self.aging.age(self.folder, 60))
        self.assertIn("nul", self.message(ValueError, lambda: self.aging.age("a\0b", 60)).lower())

    def test_a_file_that_is_not_an_intact_photo_is_rejected_with_the_message_of_the_command(self) -> None:
        whole = JPEG.read_bytes()
        for name, content, expected in [
            ("empty.jpg", b"", "is an empty file; copy or download it again"),
            ("notes.jpg", b"no photo", "is a text, not an image"),
            ("cut.jpg", whole[: len(whole) // 2], "cut.jpg is"),
        ]:
            photo = self.folder / name
            photo.write_bytes(content)

            message = self.message(ipcgan.Error, lambda: self.aging.age(photo, 60))

            self.assertIn(expected, message)
            command = subprocess.run([IPCGAN, "age", photo, "--device", "cpu"], capture_output=True, text=True, cwd=self.folder)
            self.assertIn(message, command.stderr)

    def test_a_photo_without_its_end_marker_is_aged_with_a_warning(self) -> None:
        photo = self.folder / "cut.jpg"
        portrait().save(photo, quality=95)
        photo.write_bytes(photo.read_bytes()[:-2])

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.aging.age(photo, 60)
            self.aging.faces(photo)

        self.assertEqual([Path(warning.filename).name for warning in caught], 2 * ["test_package.py"])
        self.assertIn("the end of the file is missing", str(caught[0].message))

    def test_a_photo_without_a_face_is_rejected_with_advice_to_rotate_it(self) -> None:
        grey = np.full((64, 64, 3), 127, np.uint8)
        self.assertIn("no face found in the array", self.message(ipcgan.NoFaceError, lambda: self.aging.age(grey, 60)))
        with Image.open(JPEG) as upright:
            sideways = upright.transpose(Image.Transpose.ROTATE_90)
        message = self.message(ipcgan.NoFaceError, lambda: self.aging.age(sideways, 60))
        self.assertIn("no face found in the image", message)
        self.assertIn("after rotating by 90 degrees clockwise", message)
        self.assertTrue(issubclass(ipcgan.NoFaceError, ipcgan.Error))

    def test_ages_that_the_weights_lack_are_rejected_with_the_available_ones(self) -> None:
        for age in (10, 121, -5, 10**30, "old", "", "4.5"):
            message = self.message(ValueError, lambda: self.aging.age(portrait(), age))
            self.assertIn("years from 11 to 120", message)
            self.assertIn("51+", message)
        for age in (60.0, None, True, [60]):
            self.assertIn("whole number of years", self.message(TypeError, lambda: self.aging.age(portrait(), age)))
        self.assertIn("`age`", self.message(TypeError, lambda: self.aging.at_ages(portrait(), "60")))

    def test_a_strength_out_of_range_is_rejected(self) -> None:
        for strength in (-0.1, 3.1, math.nan, math.inf):
            message = self.message(ValueError, lambda: self.aging.age(portrait(), 60, strength=strength))
            self.assertIn("from 0 (no change) to 3", message)

    def test_arrays_of_other_types_and_shapes_are_rejected_with_the_valid_ones(self) -> None:
        array = np.asarray(portrait())
        for wrong, expected in [
            (array.astype(np.float32) / 255, "float32; use uint8"),
            (array.astype(np.uint16), "uint16; use uint8"),
            (array[..., 0], "(300, 256)"),
            (array.transpose(2, 0, 1), "(3, 300, 256)"),
            (array[None], "(1, 300, 256, 3)"),
            (np.zeros((300, 256, 4), np.uint8), "(300, 256, 4)"),
            (np.zeros((0, 0, 3), np.uint8), "at least 8 x 8"),
            (array[:7], "only 256 x 7 pixels"),
            (np.broadcast_to(array[:1, :1], (20_000, 20_000, 3)), "above the limit of 200000000"),
            (np.zeros((0, 2**40, 3), np.uint8), "above the limit of 200000000"),
        ]:
            for work in (lambda: self.aging.age(wrong, 60), lambda: self.aging.faces(wrong)):
                self.assertIn(expected, self.message(ValueError, work))
        for wrong in (None, 3, b"photo.jpg", [[0]], array.tolist()):
            self.assertIn("an image is a path", self.message(TypeError, lambda: self.aging.age(wrong, 60)))

    def test_faces_of_another_image_are_rejected(self) -> None:
        [face] = self.aging.faces(portrait())
        other = portrait().resize((300, 300))

        self.assertIn("256 x 300", self.message(ValueError, lambda: self.aging.age(other, 60, faces=[face])))
        self.message(TypeError, lambda: self.aging.age(portrait(), 60, faces=[face.bounds]))
        self.assert_same(self.aging.age(portrait(), 60, faces=[]), portrait())

    def test_devices_that_are_unknown_or_missing_are_rejected(self) -> None:
        self.assertIn("unknown device `warp`", self.message(ValueError, lambda: ipcgan.Aging(device="warp")))
        self.assertIn("cuda takes a number", self.message(ValueError, lambda: ipcgan.Aging(device="cuda:x")))
        self.assertIn("--features cuda", self.message(ipcgan.Error, lambda: ipcgan.Aging(device="cuda")))
        self.assertIn("does not work here", self.message(ipcgan.Error, lambda: ipcgan.Aging(device="wgpu:99")))
        self.message(TypeError, lambda: ipcgan.Aging(device=0))

    def test_weights_that_are_damaged_or_not_a_generator_are_rejected(self) -> None:
        tensors = load_file(WEIGHTS)
        metadata = generator_metadata()
        name = next(iter(tensors))
        broken = {**tensors, name: np.full_like(tensors[name], np.nan)}
        files = {
            "not finite": lambda path: save_file(broken, path, metadata),
            "discriminator": lambda path: save_file(tensors, path, {**metadata, "network": "discriminator"}),
            "not a weights file": lambda path: save_file(tensors, path),
            "not a valid": lambda path: path.write_bytes(WEIGHTS.read_bytes()[:-1]),
        }
        for expected, write in files.items():
            path = self.folder / "weights.safetensors"
            write(path)
            for work in (lambda: ipcgan.Aging(path, "cpu"), lambda: ipcgan.load_generator(path)):
                message = self.message(ipcgan.Error, work)
                self.assertIn(expected, message)
                self.assertIn(str(path), message)

    @unittest.skipUnless(hasattr(os, "fork"), "this system does not fork")
    def test_a_forked_process_gets_an_error_instead_of_blocking(self) -> None:
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)

        def work() -> None:
            try:
                self.aging.faces(np.zeros((64, 64, 3), np.uint8))
                sender.send("no error")
            except ipcgan.Error as error:
                sender.send(str(error))

        with warnings.catch_warnings():
            # Python itself warns of forks in programs with threads.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = context.Process(target=work)
            process.start()
        self.assertTrue(receiver.poll(60))
        self.assertIn("spawn", receiver.recv())
        process.join()


class Weights(PackageTest):
    def test_a_generator_has_the_tensors_that_safetensors_reads(self) -> None:
        generator = ipcgan.load_generator(WEIGHTS)

        expected = load_file(WEIGHTS)
        self.assertEqual(generator.tensors.keys(), expected.keys())
        for name, tensor in expected.items():
            self.assertEqual(generator.tensors[name].dtype, np.float32, name)
            self.assertTrue(np.array_equal(generator.tensors[name], tensor.astype(np.float32)), name)
        self.assertEqual(generator.age_groups, ["11-20", "21-30", "31-40", "41-50", "51+"])
        self.assertEqual(generator.config["image_size"], self.aging.image_size)
        self.assertEqual(generator.config, json.loads(generator_metadata()["config"]))
        self.assertEqual(generator.metadata, generator_metadata())

    def test_weights_of_other_formats_are_the_same(self) -> None:
        for suffix in ("pth", "bpk"):
            other = self.folder / f"weights.{suffix}"
            subprocess.run([IPCGAN, "convert", WEIGHTS, other], check=True, capture_output=True)

            tensors = ipcgan.load_generator(str(other)).tensors
            aged = ipcgan.age(portrait(), to=60, weights=other, device="cpu")

            for name, tensor in ipcgan.load_generator(WEIGHTS).tensors.items():
                self.assertTrue(np.array_equal(tensors[name], tensor), name)
            self.assert_same(aged, self.aging.age(portrait(), 60))


def generator_metadata() -> dict[str, str]:
    """The metadata of the weights, as they are in the header of the file."""
    content = WEIGHTS.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length])["__metadata__"]


if __name__ == "__main__":
    unittest.main()
