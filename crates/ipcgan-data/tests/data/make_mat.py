"""Writes celebrity2000_meta.mat, a small file of the form of CACD2000's. Needs numpy and scipy."""

from pathlib import Path

import numpy
import scipy.io

names = numpy.empty((3, 1), dtype=object)
names[:, 0] = ["14_Ann_Lee_0001.jpg", "41_Penélope_Cruz_0001.jpg", "62_Penélope_Cruz_0002.jpg"]
faces = {
    "age": numpy.array([[14], [41], [62]], dtype=numpy.uint8),
    "identity": numpy.array([[1], [300], [300]], dtype=numpy.float64),
    "year": numpy.array([[2004], [2005], [2013]], dtype=numpy.uint16),
    "name": names,
}
people = {
    "name": numpy.array(["Ann Lee", "Penélope Cruz"], dtype=object),
    "identity": numpy.array([[1], [300]], dtype=numpy.int64),
}
scipy.io.savemat(
    Path(__file__).with_name("celebrity2000_meta.mat"),
    {"celebrityImageData": faces, "celebrityData": people},
    do_compression=True,
)
