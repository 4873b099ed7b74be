"""The formats that a network is written in for other runtimes."""

from __future__ import annotations

import copy
import importlib.util
import logging
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from amsunet.choices import ExportFormat, ExportPrecision
from amsunet.errors import InputError, first_line
from amsunet.inference import SMALLEST_SIDE
from amsunet.inference.export_checksum import append_checksum
from amsunet.inference.model_metadata import METADATA
from amsunet.inference.onnx_metadata import MACS
from amsunet.inference.runtime import ExecuTorch
from amsunet.memory import is_out_of_memory
from amsunet.models.cost import count_macs
from amsunet.optional import is_optional, require, without_telemetry
from amsunet.process_state import quiet

PRECISIONS: dict[str, tuple[str, ...]] = {
    "onnx": ("float32", "float16", "int8"),
    "openvino": get_args(ExportPrecision),
    "pt2": ("float32", "bfloat16"),
    "executorch": ("float32",),
}
PACKAGES: dict[str, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "pt2": (),
    "executorch": ("executorch",),
}
"""What must be installed to write and to run a format, besides torch; int8 of OpenVINO needs NNCF too."""
LARGEST_SIDE = {"executorch": 512}
"""ExecuTorch sets memory aside for the largest image: 0.1 GB for AMSUnet at this side, four times that at twice it."""
_FEW = 1024
"""Values of a weight from which on 16 bits save something: mean, standard deviation and biases stay exact."""
_SIDE_COUNTED = 256
_SIZES_TRIED = ((SMALLEST_SIDE, SMALLEST_SIDE), (33, 47), (64, 35))


def missing_package(to: str) -> str | None:
    """A package that a format needs and that is not installed."""
    return next((name for name in PACKAGES[to] if importlib.util.find_spec(name) is None), None)


class ExportModule(nn.Module):
    """Standardisation and network. Shape: (N, C, H, W) in 0 ... 255 to logits (N, num_classes, H, W)."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network((image - self.mean) / self.std)
        return logits


def write_network(
    whole: ExportModule,
    path: Path,
    to: ExportFormat,
    precision: str,
    *,
    description: str,
    calibration: Sequence[Any] = (),
) -> None:
    """Write a network for every N and every H, W from 32 on, ``image`` to ``logits``, both float32; for ExecuTorch N is
    1, and H and W end at ``LARGEST_SIDE``. Its checksum is the last of the file.

    Args:
        whole: The network, with standardisation.
        path: Ends in the format's suffix; OpenVINO writes a second file beside it.
        to: The format.
        precision: One that the format has.
        description: Text that goes into the file under ``METADATA``.
        calibration: Images (N, C, H, W) of float32 that the ranges of eight bits are taken from.

    Raises:
        InputError: If a package is missing or torch cannot export the network.
    """
    for package in PACKAGES[to] + (("nncf",) if (to, precision) == ("openvino", "int8") else ()):
        require(package)
    if to == "pt2":
        _write_pt2(whole, path, precision, description)
    elif to == "executorch":
        _write_executorch(whole, path, description)
    else:
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain.onnx"
            _write_onnx(whole, plain)
            if to == "onnx":
                _to_onnx(plain, path, precision, {METADATA: description, MACS: _macs_per_pixel(whole)}, calibration)
            else:
                _to_openvino(plain, path, precision, description, calibration)
    append_checksum(path)


@contextmanager
def _as_input_error(who: str = "torch", remedy: str = "write its forward without it") -> Iterator[None]:
    """Exporters let through whatever the network's code does not allow."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        problem = first_line(error)
        # Of onnxscript, which has a module for each torch that it knows.
        if isinstance(error, ModuleNotFoundError) and is_optional(error.name or ""):
            remedy = f"pip install --upgrade {str(error.name).partition('.')[0]}"
        raise InputError(f"{who} cannot export this network ({problem}): {remedy}") from None


def _capture(whole: ExportModule, largest_side: int | None = None) -> ExportedProgram:
    """The network as torch sees it, with N, H and W left open; for one image where sides have an end."""
    free: Any = torch.export.Dim.DYNAMIC
    side = free if largest_side is None else free(min=SMALLEST_SIDE, max=largest_side)
    example = torch.rand(2 if largest_side is None else 1, whole.mean.shape[1], 64, 96) * 255
    sides = {2: side, 3: side} | ({0: free} if largest_side is None else {})
    return torch.export.export(whole.eval(), (example,), dynamic_shapes=(sides,))


class _Bfloat16(nn.Module):
    """A copy of a network that computes in bfloat16. Shape: as the network's, float32 in and out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x.bfloat16())
        return logits.float()


def _write_pt2(whole: ExportModule, path: Path, precision: str, description: str) -> None:
    if precision == "bfloat16":
        whole.network = _Bfloat16(whole.network)
    with _as_input_error():
        program = _capture(whole)
    with _as_input_error("torch.export", "export it to onnx"), torch.inference_mode():
        _try_sizes(program.module(), whole)
    torch.export.save(program, path, extra_files={METADATA: description})


def _try_sizes(network: Callable[[Tensor], Any], whole: ExportModule) -> None:
    """What is captured of some networks holds for the sizes of the example alone: have it fail here and not later."""
    for height, width in _SIZES_TRIED:
        network(torch.zeros(1, whole.mean.shape[1], height, width))


def _write_executorch(whole: ExportModule, path: Path, description: str) -> None:
    with quiet("torchao"), warnings.catch_warnings(), _as_input_error("ExecuTorch", "export it to onnx"):
        warnings.simplefilter("ignore")
        exir = require("executorch.exir")
        xnnpack = require("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        lowered = exir.to_edge_transform_and_lower(
            _capture(whole, LARGEST_SIDE["executorch"]),
            partitioner=[xnnpack.XnnpackPartitioner()],
            constant_methods={METADATA: description},
        )
        path.write_bytes(lowered.to_executorch().buffer)
        runtime = ExecuTorch(path)
        _try_sizes(lambda image: runtime(image.numpy()), whole)


def _write_onnx(whole: ExportModule, path: Path) -> None:
    with quiet("torch.onnx", "onnxscript", "onnx_ir"), warnings.catch_warnings(), _as_input_error():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _capture(whole), dynamo=True, verbose=False, input_names=["image"], output_names=["logits"]
        )
    assert program is not None
    program.save(path)


def _macs_per_pixel(whole: ExportModule) -> str:
    with _as_input_error():
        return str(count_macs(whole, _SIDE_COUNTED, _SIDE_COUNTED, in_channels=whole.mean.shape[1]) // _SIDE_COUNTED**2)


def _to_onnx(plain: Path, path: Path, precision: str, metadata: dict[str, str], calibration: Sequence[Any]) -> None:
    onnx = require("onnx")
    if precision == "int8":
        _to_eight_bits(plain, path, calibration)
    else:
        shutil.copyfile(plain, path)
    model = onnx.load(path)
    if precision == "float16":
        _halve_weights(model.graph)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)


def _to_eight_bits(plain: Path, path: Path, calibration: Sequence[Any]) -> None:
    quantization = require("onnxruntime.quantization")

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self._images = iter(calibration)

        def get_next(self) -> dict[str, Any] | None:
            image = next(self._images, None)
            return None if image is None else {"image": image}

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # advice of the library to its own users, on the root logger
    try:
        quantization.quantize_static(plain, path, Reader(), per_channel=True)
    finally:
        logging.disable(before)


def _halve_weights(graph: Any) -> None:
    """Keep weights in 16 bits; a cast in front of each gives them back as float32, which is what is computed in. A
    runtime does that once, when it opens the file.
    """
    onnx = require("onnx")
    casts = []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(weight)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < _FEW or not np.isfinite(half).all():
            continue
        name = f"{weight.name}.float16"
        casts.append(onnx.helper.make_node("Cast", [name], [weight.name], to=onnx.TensorProto.FLOAT))
        weight.CopyFrom(onnx.numpy_helper.from_array(half, name))
    others = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *others])


def _to_openvino(plain: Path, path: Path, precision: str, description: str, calibration: Sequence[Any]) -> None:
    openvino = require("openvino")
    with without_telemetry():  # some of what it imports it imports now
        model = openvino.convert_model(plain)
    if precision == "int8":
        nncf = require("nncf")
        model = nncf.quantize(model, nncf.Dataset(calibration), subset_size=len(calibration))
    model.set_rt_info(description, [METADATA])
    model.set_rt_info(precision, ["precision"])
    openvino.save_model(model, path, compress_to_fp16=precision == "float16")
