"""What runs a network; here exported ones: without torch in ONNX Runtime and OpenVINO, and programs of torch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from amsunet.data.images import Array
from amsunet.errors import InputError, first_line
from amsunet.inference.export_checksum import verify_checksum
from amsunet.inference.model_metadata import METADATA
from amsunet.memory import is_out_of_memory
from amsunet.optional import require
from amsunet.process_state import quiet
from amsunet.wording import command

logger = logging.getLogger(__name__)


class Runtime(Protocol):
    """Images (N, C, h, w) of uint8, normalised and resized, to logits (N, num_classes, h, w) of float32."""

    @property
    def name(self) -> str: ...

    def __call__(self, images: Array) -> Array: ...


class ExportedRuntime(Protocol):
    """A ``Runtime`` of an exported file, which takes images of float32 in 0 ... 255 too."""

    name: str
    description: str
    """JSON of the network's ``ModelDescription``."""
    lacking: str
    """The precision that the file was made for and this processor does not have; mostly empty."""

    def __call__(self, images: Array) -> Array: ...


def open_runtime(path: Path, *, threads: int = 0) -> ExportedRuntime:
    """Open an exported file with the runtime that its suffix names, if it has not changed since it was written.

    Args:
        path: The file.
        threads: At most so many; all cores with 0.

    Returns:
        The network, ready to run.

    Raises:
        InputError: For another file, a damaged one, or a runtime that is not installed.
    """
    runtimes: dict[str, Callable[[Path, int], ExportedRuntime]] = {
        ".onnx": OnnxRuntime,
        ".xml": OpenVino,
        ".pt2": Pt2,
        ".pte": ExecuTorch,
    }
    if path.suffix not in runtimes:
        made = f"name a file that {command('export')} made ({', '.join(runtimes)})"
        raise InputError(f"{path} is no exported network: {made}")
    if not path.is_file():
        raise InputError(f"{path} is missing: name a file that {command('export')} made")
    checksum = verify_checksum(path)
    runtime = runtimes[path.suffix](path, threads)
    if checksum is None:
        logger.info(
            f"note: {path} has no checksum, as earlier versions wrote it, so damage would not be noticed: "
            "export it again"
        )
    return runtime


def _refused(path: Path, what: str, error: Exception) -> Exception:
    """What a runtime refuses is the file's fault, unless memory ran out."""
    if is_out_of_memory(error):
        return error
    return InputError(f"{path} cannot be {what} ({first_line(error)}): export it again")


class OnnxRuntime:
    """An ONNX file on the CPU."""

    lacking = ""

    def __init__(self, path: Path, threads: int = 0) -> None:
        onnxruntime = require("onnxruntime")
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            described = self._session.get_modelmeta().custom_metadata_map.get(METADATA)  # which is to be UTF-8
        except Exception as error:  # the library has a class for each cause, and no parent of them
            raise _refused(path, "opened", error) from None
        self.name = f"ONNX Runtime ({path.name})"
        self.description = _described(path, described)

    def __call__(self, images: Array) -> Array:
        logits: Array = self._session.run(None, {"image": np.ascontiguousarray(images, np.float32)})[0]
        return logits


@cache
def _openvino_core() -> Any:
    """One for the whole process, which is never closed before its end.

    Each lends its thread a stack for signals (for AMX), and takes it back when it is closed. Two that are closed in the
    order in which they were opened leave the thread one that is gone: the next Ctrl-C ends the process.
    """
    return require("openvino").Core()


class OpenVino:
    """An OpenVINO file on the CPU, in the precision that it was exported for."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        core = _openvino_core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise _refused(path, "opened", error) from None
        self.name = f"OpenVINO ({path.name})"
        self.description = _described(path, _rt_info(model, METADATA))
        asked = _rt_info(model, "precision") or ""
        precision = {"bfloat16": "bf16", "float16": "f16"}.get(asked, "f32")
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            self._model = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise _refused(path, "run here", error) from None
        # A processor without instructions for it computes in float32, and OpenVINO gives no warning.
        computed = self._model.get_property("INFERENCE_PRECISION_HINT")
        self.lacking = "" if computed == getattr(require("openvino").Type, precision) else asked

    def __call__(self, images: Array) -> Array:
        logits: Array = self._model(np.ascontiguousarray(images, np.float32))[0]
        return logits


class Pt2:
    """A program of ``torch.export`` on the CPU. Torch may run code that such a file holds: open only your own."""

    lacking = ""

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._torch = torch = require("torch")
        if threads:
            torch.set_num_threads(threads)
        held = {METADATA: ""}
        try:
            with quiet("torch.export"):  # what is wrong with a file is in our own message
                program = torch.export.load(path, extra_files=held)
        except Exception as error:  # of torch, of zip files, of whatever reads the parts
            raise _refused(path, "opened", error) from None
        self.name = f"torch.export ({path.name})"
        self.description = _described(path, held.get(METADATA))
        self._network = program.module().to(memory_format=torch.channels_last)

    def __call__(self, images: Array) -> Array:
        torch = self._torch
        x = torch.from_numpy(np.ascontiguousarray(images, np.float32)).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            logits: Array = self._network(x).contiguous().numpy()
        return logits


class ExecuTorch:
    """A program for phones, on this CPU: image by image, with the sides that it was written for."""

    lacking = ""

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._torch = require("torch")
        runtime = require("executorch.runtime").Runtime.get()
        try:
            program = runtime.load_program(path)
            description = program.load_method(METADATA).execute([])[0] if METADATA in program.method_names else None
            self._forward = program.load_method("forward")
        except RuntimeError as error:
            raise _refused(path, "opened", error) from None
        self.name = f"ExecuTorch ({path.name})"
        self.description = _described(path, description)

    def __call__(self, images: Array) -> Array:
        whole = self._torch.from_numpy(np.ascontiguousarray(images, np.float32))
        # What comes back lies in the program's own memory, which the next image overwrites.
        return np.concatenate([self._forward.execute([one[None]])[0].numpy().copy() for one in whole])


def _rt_info(model: Any, name: str) -> str | None:
    return str(model.get_rt_info([name]).value) if model.has_rt_info([name]) else None


def _described(path: Path, description: str | None) -> str:
    if not description:
        raise InputError(f"{path} holds no description of amsunet: name a file that {command('export')} made")
    return description
