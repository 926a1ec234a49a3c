"""Writes wiki.mat, a small file of the form of IMDB-WIKI's. Needs numpy and scipy."""

from datetime import date
from pathlib import Path

import numpy
import scipy.io


def datenum(year, month, day):
    """As MATLAB counts days."""
    return date(year, month, day).toordinal() + 366


def cells(*texts):
    row = numpy.empty((1, len(texts)), dtype=object)
    row[0, :] = texts
    return row


faces = {
    "dob": numpy.array([[datenum(1981, 5, 5), datenum(1925, 4, 4)]], dtype=numpy.int32),
    "photo_taken": numpy.array([[2009, 1964]], dtype=numpy.uint16),
    "full_path": cells("17/10000217_1981-05-05_2009.jpg", "48/10000548_1925-04-04_1964.jpg"),
    "gender": numpy.array([[1.0, numpy.nan]]),
    "name": cells("Sami Jauhojärvi", "Dettmar Cramer"),
    "face_location": cells(numpy.array([[111.29, 111.29, 252.67, 252.67]]), numpy.array([[1.0, 1.0, 100.0, 100.0]])),
    "face_score": numpy.array([[4.3, -numpy.inf]]),
    "second_face_score": numpy.array([[numpy.nan, numpy.nan]]),
}
scipy.io.savemat(Path(__file__).with_name("wiki.mat"), {"wiki": faces}, do_compression=True)
