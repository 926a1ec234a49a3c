"""Notices of the native module, such as which checkpoint of a run is used, as messages of the logger `ipcgan`."""

from __future__ import annotations

import logging

_logger = logging.getLogger("ipcgan")


def log(notices: list[str]) -> None:
    for notice in notices:
        _logger.info("%s", notice)
