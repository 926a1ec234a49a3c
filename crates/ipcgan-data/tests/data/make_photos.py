"""Makes the picture files of the tests that the `image` crate does not write: `python make_photos.py`.

Needs `pip install pillow pillow-heif numpy tifffile imagecodecs`. All pictures are synthetic: a gradient of 48 x 40 pixels.
"""

import io
import pathlib
import struct

import imagecodecs
import numpy
import pillow_heif
import tifffile
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
    picture.save(FOLDER / "half-colours.avif", quality=90, subsampling="4:2:0")
    clear = picture.copy()
    clear.putalpha(Image.fromarray((5 * X).astype("uint8")))
    clear.save(FOLDER / "clear.avif", quality=90, subsampling="4:4:4")
    turned = Image.Exif()
    turned[0x0112] = 6
    turned[0x010F] = "camera"
    picture.save(FOLDER / "turned.avif", quality=90, exif=turned)
    ten = imagecodecs.avif_encode(GRADIENT.astype("uint16") * 4, level=90, bitspersample=10)
    (FOLDER / "ten-bits.avif").write_bytes(ten)

    pillow_heif.register_heif_opener()
    camera = Image.Exif()
    camera[0x010F] = "camera"
    picture.save(FOLDER / "camera.heic", quality=90, exif=camera)

    Image.fromarray(GRADIENT[..., 0] > 120).save(FOLDER / "fax.tif", compression="group4")
    tifffile.imwrite(FOLDER / "lzw.tif", GRADIENT, compression="lzw", predictor=True)
    tifffile.imwrite(FOLDER / "deep.tif", GRADIENT.astype("uint16") * 257, byteorder=">", compression="deflate")
    tifffile.imwrite(FOLDER / "grey16.tif", GRADIENT[..., 0].astype("uint16") * 257, compression="lzw")
    picture.convert("CMYK").save(FOLDER / "cmyk.tif", compression="tiff_lzw")
    picture.save(FOLDER / "jpeg.tif", compression="jpeg", quality=90)


if __name__ == "__main__":
    main()
