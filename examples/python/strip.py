"""Draws people at every age group, with the Python package and matplotlib.

    pip install ./crates/ipcgan-python matplotlib
    python examples/python/strip.py strip.png assets/photos/eileen-collins.jpg assets/photos/grace-hopper.jpg

Editors that know `# %%` run it cell by cell, as a notebook.
"""

# %% Photos, and the networks
import sys

import matplotlib

matplotlib.use("Agg")  # draws into files, without a screen
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageOps

import ipcgan

strip, photos = sys.argv[1], sys.argv[2:]
aging = ipcgan.Aging(device="cpu")
print(aging)


# %% The surroundings of the largest face, before and at every age group
def surroundings(photo: np.ndarray, face: ipcgan.Face) -> np.ndarray:
    """The square around `face`, half as large again as its bounds, as far as the photo goes."""
    left, top, width, height = face.bounds
    radius = 0.75 * max(width, height)
    middle = np.array([top + height / 2, left + width / 2])
    (first_row, first_column), (last_row, last_column) = np.maximum(middle - radius, 0), middle + radius
    return photo[int(first_row) : int(last_row), int(first_column) : int(last_column)]


rows = []
for path in photos:
    photo = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    face = max(aging.faces(photo), key=lambda face: face.bounds[2] * face.bounds[3])
    aged = aging.at_ages(photo, aging.age_groups, faces=[face])
    rows.append([surroundings(image, face) for image in [photo, *aged]])

# %% The strip
titles = ["photo", *aging.age_groups]
figure, axes = plt.subplots(len(rows), len(titles), figsize=(2 * len(titles), 2.2 * len(rows)), squeeze=False)
for row, images in zip(axes, rows):
    for axis, image, title in zip(row, images, titles):
        axis.imshow(image)
        axis.set_title(title)
        axis.axis("off")
figure.tight_layout()
figure.savefig(strip, dpi=100)
print(strip)
