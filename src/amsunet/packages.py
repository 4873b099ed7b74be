"""Packages that not everybody needs: imported at first use, named where they are missing."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

from amsunet.errors import InputError


def needed(module: str, install: str) -> Any:
    """Import a module, with telemetry off.

    Args:
        install: what pip installs it by.

    Raises: InputError if it is not installed.
    """
    # ONNX Runtime makes up a number for the session while it is imported, unless it finds this.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    # OpenVINO and NNCF report to their maker through this package if they can import it, and do without if not.
    for name in ("openvino_telemetry", "openvino_telemetry.backend"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    try:
        return import_module(module)
    except ImportError:
        raise InputError(f"{module.partition('.')[0]} is not installed: pip install {install}") from None
