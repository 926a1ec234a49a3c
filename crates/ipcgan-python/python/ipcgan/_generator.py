"""The tensors of generators."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ipcgan import _native
from ipcgan._image import Path
from ipcgan._notices import log


@dataclass(frozen=True, eq=False, repr=False)
class GeneratorWeights:
    """The weights of a generator, with its configuration and metadata."""

    tensors: dict[str, npt.NDArray[np.float32]]
    """By name, with PyTorch's names and layouts; half precision is converted to float32."""
    config: dict[str, Any]
    """Configuration of the network: image size, width, number of residual blocks and kind of output."""
    age_groups: list[str]
    """Names of the age groups, youngest first: the order of the condition's channels."""
    metadata: dict[str, str]
    """Metadata of the file: `network`, `config` and `age_groups` (first ages), the latter two as JSON, and others it has."""

    def __repr__(self) -> str:
        values = sum(tensor.size for tensor in self.tensors.values())
        return f"<ipcgan.GeneratorWeights: {len(self.tensors)} tensors of {values} numbers, ages {self.age_groups}>"


def load_generator(path: Path) -> GeneratorWeights:
    """Reads and checks the generator in a weights file (.safetensors, .pth, .bpk), a run folder or a checkpoint.

    Raises FileNotFoundError or another OSError (it cannot be read), or Error (it is damaged, or another network).
    """
    generator = _native.load_generator(os.fsdecode(path))
    log(generator.notices)
    return GeneratorWeights(
        tensors={name: np.frombuffer(data, "<f4").reshape(shape) for name, shape, data in generator.tensors()},
        config=json.loads(generator.config),
        age_groups=generator.age_groups,
        metadata=generator.metadata,
    )
