"""Packages that not everybody needs: imported at first use, named where they are missing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from amsunet.errors import InputError

_ORT = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime makes up a number for the session while it is imported, unless it finds this in the environment."""
_REPORTERS = ("openvino_telemetry", "openvino_telemetry.backend")
"""OpenVINO and NNCF report to their maker through this package if they can import it, and do without if not."""
_IMPORTING = threading.RLock()


def require(module: str, install: str) -> Any:
    """Import a module, with telemetry off; see ``without_telemetry``.

    Args:
        install: what pip installs it by.

    Raises: InputError if it is not installed.
    """
    try:
        with without_telemetry():
            return import_module(module)
    except ImportError:
        raise InputError(f"{module.partition('.')[0]} is not installed: pip install {install}") from None


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Within, packages that are imported find that nothing is to be reported to their makers.

    They look once, while they are imported, and hold to it: so the process is left as it was.
    """
    with _IMPORTING:
        before = {name: sys.modules[name] for name in _REPORTERS if name in sys.modules}
        told = os.environ.get(_ORT)
        os.environ[_ORT] = told or "1"
        sys.modules.update(dict.fromkeys(_REPORTERS))  # type: ignore[arg-type]
        try:
            yield
        finally:
            for name in _REPORTERS:
                del sys.modules[name]
            sys.modules.update(before)
            if told is None:
                del os.environ[_ORT]
