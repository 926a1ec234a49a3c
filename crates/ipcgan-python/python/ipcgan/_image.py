"""Conversion between Python images and photos of the native module."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any, Callable, Union

import numpy as np
import numpy.typing as npt
import PIL.Image
from PIL import ImageOps

from ipcgan import _native

Path = Union[str, "os.PathLike[str]"]
Image = Union[Path, PIL.Image.Image, "npt.NDArray[np.uint8]"]
"""What can be aged: the path of a photo, a PIL image, or an array of uint8 of height x width x 3 (RGB)."""

# Modes whose pixels are aged without conversion, and modes that are converted to one of these.
SAME_MODES = ("L", "LA", "RGB", "RGBA")
EQUAL_MODES = {"1": "L", "La": "LA", "RGBX": "RGB", "RGBa": "RGBA", "PA": "RGBA", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB"}

# The limit of the native module. It is checked here before an array is copied, because a view can repeat one pixel.
MAX_PIXELS = 200_000_000

Shown = Callable[[_native.Photo], Any]


def opened(image: Image) -> tuple[_native.Photo, Shown]:
    """The photo in `image`, and a function that converts results to the type of `image`; for a path, to a PIL image."""
    if isinstance(image, np.ndarray):
        return _of_array(image), _as_array
    if isinstance(image, PIL.Image.Image):
        upright = _in_known_mode(ImageOps.exif_transpose(image))
        width, height = upright.size
        photo = _native.Photo.of_pixels(upright.tobytes(), width, height, upright.mode, "the image")
        # The profile of a mode with other colours does not describe the converted pixels.
        other_colours = image.mode in ("CMYK", "YCbCr", "HSV")
        info = {key: value for key, value in upright.info.items() if not (other_colours and key == "icc_profile")}
        return photo, lambda result: _as_pil(result, info)
    if isinstance(image, (str, os.PathLike)):
        path = os.fsdecode(image)
        photo = _native.Photo.open(path)
        if photo.warning is not None:
            warnings.warn(f"{path}: {photo.warning}", stacklevel=_callers_level())
        return photo, lambda result: _as_pil(result, _info_of(photo))
    raise TypeError(
        "an image is a path, a PIL.Image.Image or a numpy.ndarray of uint8 and height x width x 3 (RGB), "
        f"not {type(image).__name__}"
    )


def _callers_level() -> int:
    """The stack level of the first caller outside this package, for `warnings.warn` in the calling function."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("ipcgan"):
        level, frame = level + 1, frame.f_back
    return level


def array_of(pixels: bytearray, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Rows of RGB pixels as a writable array."""
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _of_array(array: npt.NDArray[np.uint8]) -> _native.Photo:
    if array.dtype != np.uint8:
        raise ValueError(f"the array has the dtype {array.dtype}; use uint8, from 0 to 255")
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(f"the array has the shape {array.shape}; use height x width x 3 (RGB)")
    height, width, _ = array.shape
    if max(height, width, height * width) > MAX_PIXELS:
        raise ValueError(
            f"the array has {width} x {height} pixels, above the limit of {MAX_PIXELS}; make it smaller"
        )
    # `asarray` discards the mask of a masked array.
    return _native.Photo.of_pixels(np.asarray(array).tobytes(), width, height, "RGB", "the array")


def _as_array(photo: _native.Photo) -> npt.NDArray[np.uint8]:
    return array_of(photo.pixels(), *photo.size)


def _in_known_mode(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode in SAME_MODES:
        return image
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in EQUAL_MODES:
        return image.convert(EQUAL_MODES[image.mode])
    raise ValueError(f"the image has the mode {image.mode}, which cannot be aged; convert it to RGB first")


def _as_pil(photo: _native.Photo, info: dict[Any, Any]) -> PIL.Image.Image:
    image = PIL.Image.frombuffer(photo.mode, photo.size, photo.pixels(), "raw", photo.mode, 0, 1)
    image.info.update(info)
    return image


def _info_of(photo: _native.Photo) -> dict[str, bytes]:
    """Colour profile and EXIF metadata, under the keys that PIL uses for its files."""
    info = {}
    if photo.colour_profile is not None:
        info["icc_profile"] = photo.colour_profile
    if photo.exif is not None:
        info["exif"] = b"Exif\0\0" + photo.exif
    return info
