"""Opening of devices."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import Iterator

_SOCKETS = "XDG_RUNTIME_DIR"
_changing = threading.Lock()


@contextlib.contextmanager
def quiet_enumeration() -> Iterator[None]:
    """Sets XDG_RUNTIME_DIR while GPUs are enumerated: without it, the window system prints an irrelevant error."""
    if not sys.platform.startswith("linux"):
        yield
        return
    with _changing:
        before = os.environ.get(_SOCKETS)
        if not before:
            os.environ[_SOCKETS] = "/tmp"
        try:
            yield
        finally:
            if before is None:
                os.environ.pop(_SOCKETS, None)
            else:
                os.environ[_SOCKETS] = before
