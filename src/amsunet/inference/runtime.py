"""What runs a network; here exported ones, without torch, in ONNX Runtime and OpenVINO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from amsunet.data.images import Array
from amsunet.errors import InputError
from amsunet.inference.description import METADATA
from amsunet.packages import needed

SUFFIXES: dict[str, str] = {"onnx": ".onnx", "openvino": ".xml"}
_EXACT = "float32"


class Runtime(Protocol):
    """Images (N, C, h, w) of uint8, windowed and resized, to logits (N, num_classes, h, w) of float32."""

    @property
    def name(self) -> str: ...

    def __call__(self, images: Array) -> Array: ...


class ExportedRuntime(Protocol):
    """A ``Runtime`` of an exported file, which takes images of float32 in 0 ... 255 too."""

    name: str
    description: str
    """JSON of the network's ``ModelDescription``."""

    def __call__(self, images: Array) -> Array: ...


def is_exported(path: Path) -> bool:
    """Whether a path names an exported file and not a run folder."""
    return path.suffix in SUFFIXES.values() and not path.is_dir()


def exported_path(run: Path, to: str, precision: str) -> Path:
    """Where a run's exported network lies."""
    return run / "export" / f"{precision}{SUFFIXES[to]}"


def exported_files(run: Path, to: str | None = None, precision: str | None = None) -> list[Path]:
    """The exported files that lie in a run, of one format and precision or of all, exact ones first."""
    formats = SUFFIXES if to is None else (to,)
    found = [path for one in formats for path in sorted(run.glob(f"export/{precision or '*'}{SUFFIXES[one]}"))]
    return sorted(found, key=lambda path: path.stem != _EXACT)


def open_runtime(path: Path, *, threads: int = 0) -> ExportedRuntime:
    """Open an exported file with the runtime that its suffix names.

    Args:
        threads: at most so many; all cores with 0.

    Raises: InputError for another file, a damaged one, or a runtime that is not installed.
    """
    runtimes: dict[str, Callable[[Path, int], ExportedRuntime]] = {".onnx": OnnxRuntime, ".xml": OpenVino}
    if path.suffix not in runtimes:
        raise InputError(f"{path} is no exported network: name a file that amsunet export made (.onnx or .xml)")
    if not path.is_file():
        raise InputError(f"{path} is missing: name a file that amsunet export made")
    return runtimes[path.suffix](path, threads)


class OnnxRuntime:
    """An ONNX file on the CPU."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        onnxruntime = needed("onnxruntime", "onnxruntime")
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library has a class for each cause, and no parent of them
            raise InputError(f"{path} cannot be opened ({_first_line(error)}): export it again") from None
        self.name = f"ONNX Runtime ({path.name})"
        self.description = _described(path, self._session.get_modelmeta().custom_metadata_map.get(METADATA))

    def __call__(self, images: Array) -> Array:
        logits: Array = self._session.run(None, {"image": np.ascontiguousarray(images, np.float32)})[0]
        return logits


class OpenVino:
    """An OpenVINO file on the CPU, in the precision that it was exported for."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        openvino = needed("openvino", "openvino")
        core = openvino.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise InputError(f"{path} cannot be opened ({_first_line(error)}): export it again") from None
        self.name = f"OpenVINO ({path.name})"
        self.description = _described(path, _rt_info(model, METADATA))
        precision = {"bfloat16": "bf16", "float16": "f16"}.get(_rt_info(model, "precision") or "", "f32")
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._model = core.compile_model(model, "CPU", settings)

    def __call__(self, images: Array) -> Array:
        logits: Array = self._model(np.ascontiguousarray(images, np.float32))[0]
        return logits


def _rt_info(model: Any, name: str) -> str | None:
    return str(model.get_rt_info([name]).value) if model.has_rt_info([name]) else None


def _described(path: Path, description: str | None) -> str:
    if not description:
        raise InputError(f"{path} holds no description of amsunet: name a file that amsunet export made")
    return description


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
