"""Packs a prepared folder into Parquet shards, as hubs of data sets keep them: python make_shards.py FACES SHARDS

Needs pyarrow. `ipcgan train --data SHARDS` reads them.
"""

import csv
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet

PICTURES_IN_A_SHARD = 5000
# A picture is looked for in its group alone, and a page is read whole.
PICTURES_IN_A_GROUP = 100
IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])

LABELS = ("age", "group", "identity", "split", "gender")

faces, shards = Path(sys.argv[1]), Path(sys.argv[2])
with open(faces / "metadata.csv", newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
shards.mkdir(parents=True, exist_ok=True)
count = -(-len(rows) // PICTURES_IN_A_SHARD)
for shard in range(count):
    part = rows[shard * PICTURES_IN_A_SHARD :][:PICTURES_IN_A_SHARD]
    images = [{"bytes": (faces / row["file_name"]).read_bytes(), "path": row["file_name"]} for row in part]
    columns = {name: [row.get(name) or None for row in part] for name in LABELS}
    columns = {name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items()}
    pyarrow.parquet.write_table(
        pyarrow.table({"image": pyarrow.array(images, IMAGE), **columns}),
        shards / f"faces-{shard:05}-of-{count:05}.parquet",
        row_group_size=PICTURES_IN_A_GROUP,
        # Encoded pictures gain nothing from a dictionary or compression.
        use_dictionary=[name for name in columns],
        compression="none",
    )
print(f"{len(rows)} faces in {count} shards in {shards}")
