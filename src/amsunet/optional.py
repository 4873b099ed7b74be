"""Optional packages: imported at first use, and where one is missing, the extra that brings it is named.

The base installation predicts with exported networks. All else is an extra of ``pyproject.toml``.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from amsunet.errors import InputError
from amsunet.text_files import parse_json

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
    "clinic": ("gdcm", "h5py", "highdicom", "nibabel", "pydicom"),
    "objects": ("roifile", "shapely"),
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
    return f"{package} is not installed: {install_command(extra or '')}"


def install_command(extra: str = "") -> str:
    """The line that installs amsunet once more, with an extra, from where this installation came.

    Args:
        extra: Its name; empty for the base alone.
    """
    source, editable = _installed_from()
    extras = f"[{extra}]" if extra else ""
    if source is None:
        return f'pip install "amsunet{extras}"' if extra else "pip install amsunet"
    if "://" in source:
        return f'pip install "amsunet{extras} @ {source}"'
    return f'pip install {"-e " if editable else ""}"{source}{extras}"'


@lru_cache(1)
def _installed_from() -> tuple[str | None, bool]:
    """The folder, file or address that amsunet was installed from, and whether its source runs in place.

    The installer writes it down (PEP 610), unless it took the package from an index by its name: then it is None.
    """
    try:
        text = metadata.distribution("amsunet").read_text("direct_url.json")
    except metadata.PackageNotFoundError:  # the source runs without being installed
        checkout = Path(__file__).resolve().parents[2]
        return (str(checkout), True) if (checkout / "pyproject.toml").is_file() else (None, False)
    try:
        content = parse_json(text) if text else {}
        url = str(content["url"])
        if urlsplit(url).scheme == "file":
            return url2pathname(urlsplit(url).path), bool(content.get("dir_info", {}).get("editable"))
        if "vcs_info" in content:
            return f"{content['vcs_info']['vcs']}+{url}", False
        return url, False
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, False


def is_installed(package: str) -> bool:
    """Whether a package can be imported, without importing it."""
    return find_spec(package) is not None


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
