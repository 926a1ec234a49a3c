"""Writes what OpenCV's FaceDetectorYN finds, for the tests of the detector.

    pip install opencv-python-headless
    python detection.py face_detection_yunet_2023mar.onnx ../../assets/photos/*.??g > detection.jsonl

Each photo is searched once, at the size at which the tests search it: as it is, or at half its size if its shorter side
has more than 320 pixels. Of each face: the bounding box (left, top, right, bottom), the landmarks and the score, in pixels
of the photo.
"""

import json
import sys
from pathlib import Path

import cv2

SCORE_THRESHOLD = 0.6
OVERLAP_THRESHOLD = 0.3
MAX_CANDIDATES = 5000
MAX_WHOLE = 320


def numbers(values, scale, digits=2):
    return [round(float(value) * scale, digits) for value in values]


def faces(model, image):
    scale = 2 if min(image.shape[:2]) > MAX_WHOLE else 1
    height, width = (side // scale for side in image.shape[:2])
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    detector = cv2.FaceDetectorYN.create(
        model, "", (width, height), SCORE_THRESHOLD, OVERLAP_THRESHOLD, MAX_CANDIDATES
    )
    _, found = detector.detect(image)
    return [
        {
            "bounds": numbers([*face[:2], face[0] + face[2], face[1] + face[3]], scale),
            "landmarks": [numbers(face[place : place + 2], scale) for place in range(4, 14, 2)],
            "score": round(float(face[14]), 4),
        }
        for face in (() if found is None else found)
    ]


def main():
    model, paths = sys.argv[1], [Path(path) for path in sys.argv[2:]]
    for path in paths:
        line = {"photo": path.name, "faces": faces(model, cv2.imread(str(path)))}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
