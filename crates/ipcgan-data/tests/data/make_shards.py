"""Writes two Parquet shards of six plain pictures, in the layout of data-set hubs. Needs pyarrow and Pillow."""

import io
from pathlib import Path

import pyarrow
import pyarrow.parquet
from PIL import Image

FOLDER = Path(__file__).with_name("shards")
IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def picture(red):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": f"{red}.png"}


def write(name, reds, **columns):
    images = [red and picture(red) for red in reds]
    table = pyarrow.table({"image": pyarrow.array(images, IMAGE), **columns})
    # Two rows a group and tiny pages, so that a row is looked for in both.
    pyarrow.parquet.write_table(table, FOLDER / name, row_group_size=2, data_page_size=1, compression="snappy")


FOLDER.mkdir(exist_ok=True)
write(
    "train-00000-of-00001.parquet",
    [10, 20, 30, None],
    age=pyarrow.array([15, 25, 5, 35], pyarrow.int64()),
    identity=pyarrow.array(["ann", None, "bob", "bob"]),
)
write("validation-00000-of-00001.parquet", [40, 50], age=pyarrow.array([60.0, None]))
