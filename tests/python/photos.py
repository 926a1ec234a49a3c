"""Photos for schemathesis in place of random bytes, which no program can age."""

from pathlib import Path

import schemathesis
from hypothesis import strategies

PHOTOS = Path(__file__).resolve().parents[2] / "assets/photos"

schemathesis.openapi.format(
    "binary", strategies.sampled_from([(PHOTOS / name).read_bytes() for name in ("eileen-collins.jpg", "eileen-collins-face.png")])
)
