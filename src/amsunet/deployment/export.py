"""A trained run as one file for another runtime, and the proof that it computes the same."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from amsunet.deployment.parity import Parity, measure_parity, prepared_images
from amsunet.errors import InputError
from amsunet.files import whole_file, write_json
from amsunet.inference.description import METADATA
from amsunet.inference.ensemble import model_path
from amsunet.inference.model_file import Tempered, for_inference, load_model
from amsunet.inference.runtime import SUFFIXES, exported_path, open_runtime
from amsunet.packages import needed

Format = Literal["onnx", "openvino"]
Precision = Literal["float32", "bfloat16", "float16", "int8"]
PRECISIONS: dict[str, tuple[str, ...]] = {
    "onnx": ("float32", "int8"),
    "openvino": ("float32", "bfloat16", "float16", "int8"),
}
MAY_LOSE = 0.002
"""Dice that a file of eight bits may lose."""
_CALIBRATION_IMAGES = 32
_EXTRA = '"amsunet[deploy]"'


@dataclass(frozen=True)
class Export:
    """An exported file and what it gives against the run it was made from."""

    path: Path
    parity: Parity


def export(
    run: str | Path,
    to: Format,
    *,
    precision: Precision = "float32",
    out: str | Path | None = None,
    own: str | None = None,
) -> Export:
    """Write a run's fused network for ONNX Runtime or OpenVINO, with its description inside, and measure it.

    The file maps ``image``, (N, C, H, W) of float32 in 0 ... 255, windowed and resized, to ``logits``, (N, num_classes,
    H, W), for every N, H and W of 32 and more; mean, standard deviation and temperature are inside. What else is to be
    done before and after is in its metadata under ``amsunet``. Beside it lies ``FILE.parity.json``.

    Args:
        run: a run folder whose data are still there: validation images are compared, and training images calibrate
            eight bits.
        precision: of what is computed: float32 is exact, bfloat16 needs a processor that computes it, int8 is refused
            where it loses more than ``MAY_LOSE`` of Dice.
        own: ``FILE.py:FUNCTION``, if the run was trained with a network that is not amsunet's.
        out: the file; ``RUN/export/PRECISION.onnx`` or ``.xml`` when left out.

    Raises: InputError if the run or the data cannot be used, a package is missing, the format does not have the
        precision, or eight bits lose too much.
    """
    folder = Path(run)
    if precision not in PRECISIONS[to]:
        raise InputError(f"{to} has no {precision}: choose one of {', '.join(PRECISIONS[to])}")
    target = Path(out) if out is not None else exported_path(folder, to, precision)
    if target.suffix != SUFFIXES[to]:
        raise InputError(f"{target} must end in {SUFFIXES[to]} for {to}")
    network, description = load_model(model_path(folder), own)
    whole = _Whole(
        for_inference(network, description.temperature), description.preprocessing.mean, description.preprocessing.std
    ).eval()
    validation = prepared_images(folder, "val")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"model{SUFFIXES[to]}"
        plain = Path(temporary) / "plain.onnx"
        _write_onnx(whole, description.preprocessing.in_channels, plain)
        calibration = (
            [image for image, _ in prepared_images(folder, "train")[:_CALIBRATION_IMAGES]]
            if (precision == "int8")
            else []
        )
        text = description.model_dump_json()
        (_to_onnx if to == "onnx" else _to_openvino)(plain, path, precision, text, calibration)
        parity = measure_parity(Tempered(network, description.temperature), description, open_runtime(path), validation)
        if precision == "int8" and not parity.dice_lost <= MAY_LOSE:
            raise InputError(
                f"eight bits lose {100 * parity.dice_lost:.2f} points of Dice on {parity.images} validation images, "
                f"more than {100 * MAY_LOSE:g}: export with --precision float32 or bfloat16"
            )
        for written in sorted(Path(temporary).glob("model.*")):
            with whole_file(target.with_suffix(written.suffix)) as partial:
                shutil.copyfile(written, partial)
    write_json(target.with_name(f"{target.name}.parity.json"), {"format": to, "precision": precision, **asdict(parity)})
    return Export(target, parity)


class _Whole(nn.Module):
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


def _write_onnx(network: nn.Module, channels: int, path: Path) -> None:
    needed("onnx", _EXTRA)
    needed("onnxscript", _EXTRA)
    free = torch.export.Dim.DYNAMIC
    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network, (torch.rand(2, channels, 64, 96) * 255,), dynamo=True, verbose=False,
                dynamic_shapes=({0: free, 2: free, 3: free},), input_names=["image"], output_names=["logits"],
            )  # fmt: skip
        except Exception as error:  # the exporter lets through whatever the network's code does not allow
            problem = str(error).strip().partition("\n")[0]
            raise InputError(f"torch cannot export this network ({problem}): write its forward without it") from None
    assert program is not None
    program.save(path)


def _to_onnx(plain: Path, path: Path, precision: str, description: str, calibration: list[Any]) -> None:
    onnx = needed("onnx", _EXTRA)
    if precision == "int8":
        quantization = __import__("onnxruntime.quantization", fromlist=["quantize_static"])

        class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                self._images = iter(calibration)

            def get_next(self) -> dict[str, Any] | None:
                image = next(self._images, None)
                return None if image is None else {"image": image}

        quantization.quantize_static(plain, path, Reader(), per_channel=True)
    else:
        shutil.copyfile(plain, path)
    model = onnx.load(path)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, description
    onnx.save(model, path)


def _to_openvino(plain: Path, path: Path, precision: str, description: str, calibration: list[Any]) -> None:
    openvino = needed("openvino", _EXTRA)
    model = openvino.convert_model(plain)
    if precision == "int8":
        nncf = needed("nncf", _EXTRA)
        model = nncf.quantize(model, nncf.Dataset(calibration), subset_size=len(calibration))
    model.set_rt_info(description, [METADATA])
    model.set_rt_info(precision, ["precision"])
    openvino.save_model(model, path, compress_to_fp16=precision == "float16")
