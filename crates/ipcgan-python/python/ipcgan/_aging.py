"""Faces in photos, and photos at other ages."""

from __future__ import annotations

import functools
import operator
import os
from dataclasses import dataclass
from typing import Any, Iterable, Sequence, SupportsIndex, Union, overload

import numpy as np
import numpy.typing as npt
import PIL.Image

from ipcgan import _native
from ipcgan._device import quiet_enumeration
from ipcgan._image import Image, Path, array_of, opened
from ipcgan._native import DEFAULT_STRENGTH
from ipcgan._notices import log

Age = Union[SupportsIndex, str]
"""Years (60), or the name of an age group ("51+")."""


@dataclass(frozen=True, eq=False, repr=False)
class Face:
    """A face that `Aging.faces` found in an image."""

    number: int
    """From left to right, starting at one."""
    bounds: tuple[float, float, float, float]
    """Left, top, width and height in pixels of the image."""
    score: float
    """Detection confidence, from 0 to 1."""
    landmarks: npt.NDArray[np.float32]
    """5 x 2: eyes, nose and corners of the mouth (those on the left of the image first), x and y in pixels of the image."""
    aligned: npt.NDArray[np.uint8]
    """The aligned crop, which is the generator's input: `image_size` x `image_size` x 3, RGB."""
    _found: _native.Face

    def __repr__(self) -> str:
        left, top, width, height = (round(length) for length in self.bounds)
        return f"<ipcgan.Face {self.number}: {width} x {height} pixels at ({left}, {top}), score {self.score:.2f}>"


class Aging:
    """Ages the faces in photos. Threads may share it; one call already uses all cores of a CPU.

    `weights` is a weights file, a run folder of `ipcgan train` or one of its checkpoints; None is the embedded generator.
    `device` is "auto" (the fastest that works), "cpu", or a GPU as `ipcgan devices` names it, such as "wgpu".

    Raises FileNotFoundError or another OSError (the weights cannot be read), ValueError (unknown device), or Error (the
    weights are damaged, or the device does not work).
    """

    def __init__(self, weights: Path | None = None, device: str = "auto") -> None:
        if not isinstance(device, str):
            raise TypeError(f"a device is named by a str, such as 'cpu', not {type(device).__name__}")
        path = None if weights is None else os.fsdecode(weights)
        with quiet_enumeration():
            self._native = _native.Aging(path, device)
        log(self._native.notices)

    @property
    def age_groups(self) -> list[str]:
        """Names of the age groups of the generator, youngest first."""
        return self._native.age_groups

    @property
    def image_size(self) -> int:
        """Width and height of the generator's input and output in pixels."""
        return self._native.image_size

    @property
    def device(self) -> str:
        """Name of the device."""
        return self._native.device

    def __repr__(self) -> str:
        return f"<ipcgan.Aging with {self._native.weights} on {self.device}>"

    def faces(self, image: Image) -> list[Face]:
        """The faces in `image`, from left to right; an empty list if there is none.

        An image with an EXIF orientation is turned upright first, as are its coordinates.
        """
        photo, _ = opened(image)
        return [_face(face) for face in self._native.faces(photo)]

    @overload
    def age(
        self, image: npt.NDArray[np.uint8], to: Age, *, faces: Sequence[Face] | None = None, strength: float = ...
    ) -> npt.NDArray[np.uint8]: ...
    @overload
    def age(
        self, image: Path | PIL.Image.Image, to: Age, *, faces: Sequence[Face] | None = None, strength: float = ...
    ) -> PIL.Image.Image: ...
    def age(
        self, image: Image, to: Age, *, faces: Sequence[Face] | None = None, strength: float = DEFAULT_STRENGTH
    ) -> Any:
        """`image` with its faces aged, at its own size.

        `to` is an age in years, or an age group by name; see `age_groups`. `faces` are those to age, found in this image by
        `faces`; None is all. `strength` is from 0 (no change) to 3; 1 is what the generator learned.

        Returns a new array for an array, and a new PIL image for a PIL image or a path, with its colour profile and EXIF
        metadata in `info`. Deeper photos are returned with 8 bits a channel; transparency is kept.

        Raises NoFaceError, ValueError (the age, strength, array or faces are invalid), an OSError (the photo cannot be
        read), or Error (it is damaged or not a photo).
        """
        [aged] = self._at_ages(image, [to], faces, strength)
        return aged

    @overload
    def at_ages(
        self,
        image: npt.NDArray[np.uint8],
        ages: Iterable[Age],
        *,
        faces: Sequence[Face] | None = None,
        strength: float = ...,
    ) -> list[npt.NDArray[np.uint8]]: ...
    @overload
    def at_ages(
        self,
        image: Path | PIL.Image.Image,
        ages: Iterable[Age],
        *,
        faces: Sequence[Face] | None = None,
        strength: float = ...,
    ) -> list[PIL.Image.Image]: ...
    def at_ages(
        self,
        image: Image,
        ages: Iterable[Age],
        *,
        faces: Sequence[Face] | None = None,
        strength: float = DEFAULT_STRENGTH,
    ) -> list[Any]:
        """`image` at each of `ages`, as by `age`; it is read, and its faces are detected, only once."""
        if isinstance(ages, str):
            raise TypeError("ages are a list; use `age` for a single one")
        return self._at_ages(image, ages, faces, strength)

    def _at_ages(
        self, image: Image, ages: Iterable[Age], faces: Sequence[Face] | None, strength: float
    ) -> list[Any]:
        names = [_name(age) for age in ages]
        selected = None if faces is None else [_found(face) for face in faces]
        photo, shown = opened(image)
        return [shown(aged) for aged in self._native.at_ages(photo, selected, names, strength)]


@overload
def age(
    image: npt.NDArray[np.uint8], to: Age, *, weights: Path | None = None, device: str = "auto", strength: float = ...
) -> npt.NDArray[np.uint8]: ...
@overload
def age(
    image: Path | PIL.Image.Image, to: Age, *, weights: Path | None = None, device: str = "auto", strength: float = ...
) -> PIL.Image.Image: ...
def age(
    image: Image, to: Age, *, weights: Path | None = None, device: str = "auto", strength: float = DEFAULT_STRENGTH
) -> Any:
    """`image` with its faces at the age `to`: a PIL image for a path or a PIL image, an array for an array.

    As `Aging(weights, device).age(image, to, strength=strength)`; the embedded generator is loaded only once.
    """
    aging = _embedded(device) if weights is None else Aging(weights, device)
    [aged] = aging._at_ages(image, [to], None, strength)
    return aged


@functools.lru_cache(maxsize=4)
def _embedded(device: str) -> Aging:
    return Aging(device=device)


def _name(age: Age) -> str:
    if isinstance(age, str):
        return age
    try:
        if isinstance(age, bool):
            raise TypeError
        return str(operator.index(age))
    except TypeError:
        raise TypeError(
            f"an age is a whole number of years, or the name of an age group such as '51+', not {age!r}"
        ) from None


def _found(face: Face) -> _native.Face:
    if not isinstance(face, Face):
        raise TypeError(f"faces are those that `Aging.faces` returns, not {type(face).__name__}")
    return face._found


def _face(face: _native.Face) -> Face:
    return Face(
        number=face.number,
        bounds=face.bounds,
        score=face.score,
        landmarks=np.array(face.landmarks, np.float32),
        aligned=array_of(face.pixels(), face.size, face.size),
        _found=face,
    )
