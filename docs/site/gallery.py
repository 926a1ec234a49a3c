"""Writes docs/gallery.md and its images, and the pictures of the packages' front pages; docs/gallery.sh starts it.

Each image is assembled from the files that the command below it writes. Faces are cropped from the aged photos at full
resolution, so they show what a user gets and not the input of the network.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "assets/photos"
IMAGES = ROOT / "docs/images/gallery"
PAGE = ROOT / "docs/gallery.md"
# The picture of a package's front page. It is part of the text, in Base64, because docs.rs serves no files of a package.
FRONT_PICTURE = "front_picture.txt"
MAX_BYTES = 1_500_000

GROUPS = ["11-20", "21-30", "31-40", "41-50", "51+"]
YEARS = ["16", "24", "32", "40", "48", "56"]
# Pixels: a tile, the label above it, the space between tiles, and a tile of the front page.
TILE, LABEL, GAP, SMALL_TILE = 240, 28, 6, 112
# Of the sample grid of synthetic faces: its labels and four rows.
SYNTHETIC_HEIGHT = 276
# The side of a cut face, in heights of the detector's box.
HEAD = 1.35
QUALITY = 82

HEADER = """# Gallery

<!-- Written by docs/gallery.sh; change docs/site/gallery.py instead. -->

The free photos of [assets/photos](../assets/photos/README.md), aged to all ages, younger and older, with the embedded
weights; the [model card](../assets/weights/README.md) describes their limits. Every image is assembled from the files
that the command below it writes. Faces are cropped from the aged photos at full resolution. `docs/gallery.sh`
regenerates this page, for instance after a change of the weights.
"""


class Shot:
    """A photo aged by one command."""

    def __init__(self, photo: Path, options: str) -> None:
        self.command = f"ipcgan age {photo.relative_to(ROOT)} {options}"
        # Losslessly, since the page's images are compressed once more.
        words = [os.environ["IPCGAN"], *self.command.split()[1:], "--format", "png", "--device", "cpu", "--json"]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([*words, "--out", folder], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode:
                sys.exit(f"{self.command}: {done.stderr.decode()}")
            found = json.loads(done.stdout)
            self.images = {age: Image.open(path).convert("RGB") for age, path in found["images"].items()}
            gifs = [path for path in found["files"] if path.endswith(".gif")]
            self.frames = animation(Path(gifs[0])) if gifs else []
        self.source = Image.open(photo).convert("RGB")
        left, top, width, height = max(found["faces"], key=lambda face: face["bounds"][3])["bounds"]
        self.head = square((left + width / 2, top + height / 2), HEAD * height, self.source.size)

    def faces(self, ages: list[str]) -> list[tuple[str, Image.Image]]:
        return [(age, self.images[age].crop(self.head)) for age in ages]

    def source_face(self) -> tuple[str, Image.Image]:
        return "source", self.source.crop(self.head)


def square(centre: tuple[float, float], side: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The square around `centre`, moved and made smaller as an image of `size` requires."""
    side = min(side, *size)
    left, top = (min(max(middle - side / 2, 0), whole - side) for middle, whole in zip(centre, size, strict=True))
    return round(left), round(top), round(left + side), round(top + side)


def animation(path: Path) -> list[tuple[int, Image.Image]]:
    """Milliseconds and image of each frame."""
    frames = []
    with Image.open(path) as gif:
        for index in range(gif.n_frames):
            gif.seek(index)
            frames.append((gif.info["duration"], gif.convert("RGB")))
    return frames


def sheet(tiles: list[tuple[str, Image.Image]], columns: int, tile: int) -> Image.Image:
    """Labelled images in rows, each `tile` pixels wide."""
    tiles = [
        (label, image.resize((tile, tile * image.height // image.width), Image.Resampling.LANCZOS))
        for label, image in tiles
    ]
    height = LABEL + max(image.height for _, image in tiles)
    rows = -(-len(tiles) // columns)
    whole = Image.new("RGB", (columns * (tile + GAP) - GAP, rows * (height + GAP) - GAP), "white")
    draw = ImageDraw.Draw(whole)
    for index, (label, image) in enumerate(tiles):
        left, top = index % columns * (tile + GAP), index // columns * (height + GAP)
        draw.text((left + tile // 2, top + LABEL // 2), label, "black", ImageFont.load_default(18), anchor="mm")
        whole.paste(image, (left, top + LABEL))
    return whole


class Folder:
    """Where images are written until all of them are there."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def save(self, image: Image.Image, name: str, **options: object) -> str:
        """Gives the link of the page to the image."""
        image.save(self.path / name, method=6, **{"quality": QUALITY} | options)
        return f"{IMAGES.relative_to(PAGE.parent)}/{name}"

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.path.iterdir())


def persons() -> dict[str, str]:
    """Who is in a photo, from the table of the photos' README."""
    rows = re.findall(
        r"^\| `([^`]+\.jpg)` \| ([^|]+?) \|", (PHOTOS / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(rows)


def section(photo: Path, person: str, folder: Folder) -> str:
    groups, whole = Shot(photo, "--animate"), Shot(photo, f"--to {GROUPS[0]},{GROUPS[-1]}")
    years = Shot(photo, f"--to {','.join(YEARS)} --strength 1.5")
    name, stem = person.split(",")[0], photo.stem

    def figure(image: str, of: str, shot: Shot) -> str:
        return f"\n![{name} {of}]({image})\n\n```sh,run\n{shot.command}\n```\n"

    faces = sheet([groups.source_face(), *groups.faces(GROUPS)], 3, TILE)
    photos = sheet([("source", whole.source), *((age, whole.images[age]) for age in (GROUPS[0], GROUPS[-1]))], 3, TILE)
    ages = sheet([(f"{year} years", face) for year, face in years.faces(YEARS)], 3, TILE)
    times, frames = zip(*((time, frame.crop(groups.head).resize((TILE, TILE))) for time, frame in groups.frames))
    moving = {"save_all": True, "append_images": frames[1:], "duration": list(times), "loop": 0, "quality": 60}
    return (
        f"\n## {name}\n\n{person}.\n\n### {name} at every age group\n"
        + figure(folder.save(faces, f"{stem}-groups.webp"), "in the photo, and at five age groups", groups)
        + "\nThe animation that it writes:\n"
        + f"\n![{name} through all ages and back]({folder.save(frames[0], f'{stem}.webp', **moving)})\n"
        + f"\n### {name} in the whole photo\n"
        + figure(folder.save(photos, f"{stem}-photo.webp"), "in the photo, and in the youngest and oldest group", whole)
        + f"\n### {name} by years, with a stronger effect\n"
        + figure(folder.save(ages, f"{stem}-years.webp"), "at six ages", years)
    )


def write_front_pictures(photo: Path) -> None:
    shot = Shot(photo, "")
    faces = as_webp(sheet([shot.source_face(), *shot.faces(GROUPS)], len(GROUPS) + 1, SMALL_TILE))
    with Image.open(ROOT / "assets/readme-synthetic-faces.png") as image:
        synthetic = as_webp(image.convert("RGB").crop((0, 0, image.width, SYNTHETIC_HEIGHT)))
    pictures = {
        "ipcgan": faces,
        "ipcgan-model": faces,
        "ipcgan-data": synthetic,
        "ipcgan-train": synthetic,
        "ipcgan-kernels": (ROOT / "docs/performance.svg").read_bytes(),
    }
    for package, picture in pictures.items():
        path = ROOT / "crates" / package / FRONT_PICTURE
        path.write_text(base64.b64encode(picture).decode(), encoding="ascii")


def as_webp(image: Image.Image) -> bytes:
    data = BytesIO()
    image.save(data, "webp", quality=60, method=6)
    return data.getvalue()


def main() -> None:
    people = persons()
    photos = sorted(PHOTOS.glob("*.jpg"))
    if unknown := [path.name for path in photos if path.name not in people]:
        sys.exit(f"{', '.join(unknown)}: not in the table of {PHOTOS / 'README.md'}, which has the captions; add a row")
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path)
        page = HEADER + "".join(section(photo, people[photo.name], folder) for photo in photos)
        if folder.size() > MAX_BYTES:
            sys.exit(f"the images take {folder.size()} bytes of {MAX_BYTES}; lower QUALITY or TILE in {__file__}")
        print(f"{PAGE.relative_to(ROOT)}: {len(photos)} photos, {folder.size() / 1e6:.2f} MB of images")
        write_front_pictures(photos[0])
        shutil.rmtree(IMAGES, ignore_errors=True)
        IMAGES.mkdir(parents=True)
        for image in folder.path.iterdir():
            shutil.copyfile(image, IMAGES / image.name)
    PAGE.write_text(page, encoding="utf-8")


main()
