"""Makes the picture files of the tests that the `image` crate does not write: `python make_photos.py`.

Needs `pip install pillow numpy tifffile imagecodecs`. All pictures are synthetic: a gradient of 48 x 40 pixels.
"""

import io
import pathlib
import struct

import numpy
from PIL import Image

FOLDER = pathlib.Path(__file__).parent
X, Y = numpy.meshgrid(numpy.arange(48), numpy.arange(40))
GRADIENT = numpy.stack([5 * X, 6 * Y, 255 - 5 * X], axis=-1).astype("uint8")


def exif_with_thumbnail() -> bytes:
    """A camera's name and a JPEG thumbnail, as cameras write them."""
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(thumbnail, "JPEG")
    thumbnail = thumbnail.getvalue()
    name = b"camera\0\0"
    first = struct.pack("<HHHIII", 1, 0x010F, 2, len(name), 26, 26 + len(name))
    second = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, 26 + len(name) + 30, 0x0202, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + name + second + thumbnail


def main() -> None:
    picture = Image.fromarray(GRADIENT)
    exif = exif_with_thumbnail()
    picture.save(FOLDER / "progressive.jpg", quality=90, progressive=True, subsampling=2, exif=exif)
    picture.save(FOLDER / "restarts.jpg", quality=90, subsampling=2, restart_marker_blocks=2, exif=exif)


if __name__ == "__main__":
    main()
