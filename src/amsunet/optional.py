"""Optional packages: imported at first use, and where one is missing, the extra that brings it is named.

The base installation predicts with exported networks. All else is an extra of ``pyproject.toml``.
"""

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
EXTRAS: dict[str, tuple[str, ...]] = {
    "train": (
        "jinja2",
        "kornia",
        "markupsafe",
        "matplotlib",
        "monai",
        "psutil",
        "pytorch_lightning",
        "safetensors",
        "scipy",
        "skimage",
        "tensorboard",
        "torch",
        "torchmetrics",
    ),
    "export": ("nncf", "onnx", "onnxscript"),
    "openvino": ("openvino",),
    "mobile": ("executorch",),
    "slides": ("imagecodecs", "openslide"),
    "cluster": ("fsspec", "ray"),
}
"""The packages of each extra, by the names they are imported by."""


def require(module: str, *, instead: str = "") -> Any:
    """Import a module, with telemetry off; see ``without_telemetry``.

    Args:
        module: Its full name.
        instead: What to do without it, if there is something: the end of the sentence.

    Returns:
        The module.

    Raises:
        InputError: If it is not installed, with the extra that brings it.
    """
    try:
        with without_telemetry():
            return import_module(module)
    except ImportError:
        raise InputError(describe_missing(module) + instead) from None


def describe_missing(module: str) -> str:
    """The sentence about a package that is not installed: what to install."""
    package = module.partition(".")[0]
    extra = next((name for name, packages in EXTRAS.items() if package in packages), None)
    return f"{package} is not installed: pip install " + (f'"amsunet[{extra}]"' if extra else "amsunet")


def is_optional(module: str) -> bool:
    """Whether an extra brings this module."""
    return any(module.partition(".")[0] in packages for packages in EXTRAS.values())


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Within, packages that are imported find that nothing is to be reported to their makers.

    They look once, while they are imported, and hold to it: so the process is left as it was.
    """
    with _IMPORTING:
        before = {name: sys.modules[name] for name in _REPORTERS if name in sys.modules}
        switch = os.environ.get(_ORT)
        os.environ[_ORT] = switch or "1"
        sys.modules.update(dict.fromkeys(_REPORTERS))  # type: ignore[arg-type]
        try:
            yield
        finally:
            for name in _REPORTERS:
                del sys.modules[name]
            sys.modules.update(before)
            if switch is None:
                del os.environ[_ORT]
