"""Faces in photos at other ages, with IPCGAN, the identity-preserved conditional GAN.

    import ipcgan

    image = ipcgan.age("photo.jpg", to=60)   # a PIL.Image
    image.save("at-60.png")

`Aging` keeps the networks between photos, finds faces, and takes and returns numpy arrays and PIL images;
`load_generator` reads the tensors of weights files.
"""

from ipcgan._aging import Age, Aging, Face, age
from ipcgan._generator import GeneratorWeights, load_generator
from ipcgan._image import Image
from ipcgan._native import Error, NoFaceError

__all__ = [
    "Age",
    "Aging",
    "Error",
    "Face",
    "GeneratorWeights",
    "Image",
    "NoFaceError",
    "age",
    "load_generator",
]
