"""Ages a face crop with the ONNX file of a generator, without Rust or PyTorch.

    ipcgan convert assets/weights/generator.safetensors generator.onnx
    pip install onnxruntime pillow numpy
    python age_with_onnx.py generator.onnx face.png OUT_DIR
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def main() -> None:
    weights, photo, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    groups, size = metadata["age_groups"].split(), int(metadata["image_size"])
    picture = ImageOps.fit(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"), (size, size))
    face = np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1  # [1, 3, height, width] in [-1, 1]
    shares = np.eye(len(groups), dtype=np.float32)  # each group alone; blends are rows that sum to one
    [aged] = session.run(["aged"], {"face": np.repeat(face, len(groups), 0), "group_weights": shares})
    out.mkdir(parents=True, exist_ok=True)
    for group, pixels in zip(groups, aged):
        levels = np.clip(np.round((pixels + 1) * 127.5), 0, 255).astype(np.uint8)
        path = out / f"{Path(photo).stem}-{group}.png"
        Image.fromarray(levels.transpose(1, 2, 0)).save(path)
        print(path)


main()
