"""Exported networks at work, without torch: ONNX Runtime and OpenVINO behind one call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from amsunet.data.images import Array
from amsunet.errors import InputError

METADATA = "amsunet"
"""Under this name an exported file holds its description as JSON."""


class Runtime(Protocol):
    """Images (N, C, h, w) of float32 in 0 ... 255, windowed and resized, to logits (N, num_classes, h, w)."""

    description: str
    """JSON of the network's ``ModelDescription``."""

    def __call__(self, images: Array) -> Array: ...


def open_runtime(path: Path, *, threads: int = 0) -> Runtime:
    """Open an exported file with the runtime that its suffix names.

    Args:
        threads: at most so many; all cores with 0.

    Raises: InputError for another file, a damaged one, or a runtime that is not installed.
    """
    runtimes: dict[str, Callable[[Path, int], Runtime]] = {".onnx": OnnxRuntime, ".xml": OpenVino}
    if path.suffix not in runtimes:
        raise InputError(f"{path} is no exported network: name a file that amsunet export made (.onnx or .xml)")
    if not path.is_file():
        raise InputError(f"{path} is missing: name a file that amsunet export made")
    return runtimes[path.suffix](path, threads)


class OnnxRuntime:
    """An ONNX file on the CPU."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        onnxruntime = needed("onnxruntime")
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library has a class for each cause, and no parent of them
            raise InputError(f"{path} cannot be opened ({_first_line(error)}): export it again") from None
        self.description = _described(path, self._session.get_modelmeta().custom_metadata_map.get(METADATA))

    def __call__(self, images: Array) -> Array:
        logits: Array = self._session.run(None, {"image": images})[0]
        return logits


class OpenVino:
    """An OpenVINO file on the CPU, in the precision that it was exported for."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        openvino = needed("openvino")
        core = openvino.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise InputError(f"{path} cannot be opened ({_first_line(error)}): export it again") from None
        self.description = _described(path, _rt_info(model, METADATA))
        precision = {"bfloat16": "bf16", "float16": "f16"}.get(_rt_info(model, "precision") or "", "f32")
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._model = core.compile_model(model, "CPU", settings)

    def __call__(self, images: Array) -> Array:
        logits: Array = self._model(images)[0]
        return logits


def needed(package: str) -> Any:
    """Import a package of the ``deploy`` extra, with telemetry off.

    Raises: InputError if it is not installed.
    """
    # OpenVINO and NNCF report to their maker through this package if they can import it, and do without if not.
    for name in ("openvino_telemetry", "openvino_telemetry.backend"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    try:
        return __import__(package)
    except ImportError:
        raise InputError(f'{package} is not installed: pip install "amsunet[deploy]"') from None


def _rt_info(model: Any, name: str) -> str | None:
    return str(model.get_rt_info([name]).value) if model.has_rt_info([name]) else None


def _described(path: Path, description: str | None) -> str:
    if not description:
        raise InputError(f"{path} holds no description of amsunet: name a file that amsunet export made")
    return description


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
