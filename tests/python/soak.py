"""Ages photos by the thousand through `ipcgan serve`, among hostile requests, and watches what the process holds.

    python tests/python/soak.py --requests 10000 --out soak.csv

Every tenth request is hostile: damaged photos, wrong questions, bodies that end early, bytes that are not HTTP. An answer
must be the photo or a refusal, in JSON where the photo or the question is at fault, never a failure of the service, and the
photo after all that is the photo at the start, byte for byte. Every hundred requests a row is written: memory (MB), threads and open files.
At the end one large photo is searched for faces, and a while later the service must hold no more than before it.
"""

import argparse
import csv
import http.client
import io
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
IPCGAN = os.environ.get("IPCGAN", str(ROOT / "target/release/ipcgan"))
PHOTO = ROOT / "assets/photos/grace-hopper.jpg"
AGES = ["11-20", "21-30", "31-40", "41-50", "51+", "33", "61"]
FORMATS = ["png", "jpg", "webp"]
# What a service may answer to whom it does not understand.
REFUSALS = {400, 404, 405, 408, 411, 413, 414, 415, 422, 431, 503}


def small_photos() -> list[bytes]:
    """The photo at a third of its size in three formats, so that many requests take little time."""
    with Image.open(PHOTO) as photo:
        small = photo.convert("RGB").resize((photo.width // 3, photo.height // 3))
    photos = []
    for kind in ["PNG", "JPEG", "WEBP"]:
        bytes_of = io.BytesIO()
        small.save(bytes_of, kind)
        photos.append(bytes_of.getvalue())
    return photos


def large_photo() -> bytes:
    """Five thousand pixels square, which takes a hundred megabytes and more to work on."""
    with Image.open(PHOTO) as photo:
        bytes_of = io.BytesIO()
        photo.convert("RGB").resize((5000, 5000)).save(bytes_of, "JPEG")
    return bytes_of.getvalue()


class Service:
    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [IPCGAN, "serve", "--device", "cpu", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.ask("GET", "/api/ages")
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the service did not start")

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send(self, text: bytes) -> None:
        """Bytes as they are; whatever comes back is read and dropped, and hanging up is an answer too."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=120) as line, suppress(OSError):
            line.sendall(text)
            line.shutdown(socket.SHUT_WR)
            while line.recv(65536):
                pass

    def holds(self) -> tuple[float, int, int]:
        """Megabytes, threads and open files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        entries = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        memory, threads = int(entries["VmRSS"].split()[0]) / 1024, int(entries["Threads"])
        return memory, threads, len(os.listdir(f"/proc/{self.process.pid}/fd"))


def gives_back(service: Service) -> None:
    """What a large photo takes comes back when nobody asks any more."""
    limit = service.holds()[0] + 20
    if service.ask("POST", "/api/faces", large_photo())[0] != 200:
        raise SystemExit("the large photo was refused")
    held = service.holds()[0]
    for _ in range(60):
        if service.holds()[0] <= limit:
            print(f"a large photo: {held:.0f} MB after it, {service.holds()[0]:.0f} a while later")
            return
        time.sleep(1)
    raise SystemExit(f"{service.holds()[0]:.0f} MB are still held after a large photo")


def damaged(photo: bytes, chance: random.Random) -> bytes:
    bytes_of = bytearray(photo)
    kind = chance.randrange(3)
    if kind == 0:
        return bytes(bytes_of[: chance.randrange(len(bytes_of))])
    for _ in range(chance.randrange(1, 20)):
        bytes_of[chance.randrange(len(bytes_of) if kind == 1 else min(200, len(bytes_of)))] = chance.randrange(256)
    return bytes(bytes_of)


def nonsense(chance: random.Random) -> str:
    return urllib.parse.quote("".join(chr(chance.randrange(1, 0x3000)) for _ in range(chance.randrange(12))))


def hostile(service: Service, photos: list[bytes], chance: random.Random) -> None:
    photo, path = chance.choice(photos), f"/api/age?age={chance.choice(['21-30', nonsense(chance)])}"
    kind = chance.randrange(5)
    if kind == 0:
        status, answer = service.ask("POST", f"/api/{chance.choice(['age?age=51%2B', 'faces'])}", damaged(photo, chance))
    elif kind == 1:
        wrong = f"{path}&face={nonsense(chance)}&strength={nonsense(chance)}&format={nonsense(chance)}"
        status, answer = service.ask("POST", wrong, photo)
    elif kind == 2:
        status, answer = service.ask(chance.choice(["GET", "PUT", "DELETE", "PATCH"]), f"/{nonsense(chance)}", photo)
    elif kind == 3:
        head = f"POST /api/faces HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10 * len(photo)}\r\n\r\n"
        return service.send(head.encode() + photo[: chance.randrange(len(photo))])
    else:
        return service.send(chance.randbytes(chance.randrange(1, 4000)))
    if status != 200 and status not in REFUSALS:
        raise SystemExit(f"answered {status}: {answer[:300]!r}")
    if status in {400, 415, 422} and not json.loads(answer)["error"]:
        raise SystemExit(f"no reason given with {status}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--requests", type=int, default=10_000)
    options.add_argument("--concurrency", type=int, default=4)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path, default=Path("soak.csv"))
    options = options.parse_args()
    service, photos, lock = Service(), small_photos(), threading.Lock()
    first = service.ask("POST", "/api/age?age=51%2B", photos[0])
    rows, done, start = [(0, *service.holds())], 0, time.monotonic()

    def one(number: int) -> None:
        nonlocal done
        chance = random.Random(options.seed * 1_000_003 + number)
        if number % 10 == 9:
            hostile(service, photos, chance)
        else:
            age, kind = urllib.parse.quote(chance.choice(AGES)), chance.choice(FORMATS)
            question = f"/api/age?age={age}&format={kind}&strength={chance.random():.2f}"
            status, answer = service.ask("POST", question, chance.choice(photos))
            if status != 200:
                raise SystemExit(f"answered {status}: {answer[:300]!r}")
        with lock:
            done += 1
            if done % 100 == 0:
                rows.append((done, *service.holds()))
            if done % 1000 == 0:
                print(f"{done} requests, {done / (time.monotonic() - start):.1f} a second, {rows[-1][1]:.0f} MB", flush=True)

    try:
        with ThreadPoolExecutor(options.concurrency) as threads:
            for result in threads.map(one, range(options.requests)):
                assert result is None
        if service.ask("POST", "/api/age?age=51%2B", photos[0]) != first:
            raise SystemExit("the same question has another answer now")
        gives_back(service)
    finally:
        service.process.terminate()
        with options.out.open("w", newline="") as file:
            csv.writer(file).writerows([("requests", "megabytes", "threads", "files"), *rows])
    if service.process.wait(60) != 0:
        raise SystemExit(f"the service ended with {service.process.returncode}")
    late = [row[1] for row in rows[len(rows) // 2 :]]
    print(f"second half: {min(late):.0f} to {max(late):.0f} MB; at the end {rows[-1][2]} threads, {rows[-1][3]} open files")
    print(f"largest growth over its start: {max(late) / late[0]:.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
