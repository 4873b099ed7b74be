"""A trained run as one file for another runtime, and the proof that it computes the same."""

from __future__ import annotations

import math
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from amsunet.atomic_io import atomic_write, check_writable, remove_abandoned, write_json
from amsunet.choices import ExportFormat, ExportPrecision
from amsunet.deployment.exporters import LARGEST_SIDE, PRECISIONS, ExportModule, write_network
from amsunet.deployment.parity import Parity, find_images, measure_parity, prepare_images
from amsunet.errors import InputError
from amsunet.inference.export_checksum import verify_checksum
from amsunet.inference.model_file import TemperatureScaled, for_inference, load_model
from amsunet.inference.model_ref import ALL_SUFFIXES, ModelRef
from amsunet.inference.runtime import open_runtime
from amsunet.process_state import random_state_kept
from amsunet.wording import setting

MAY_LOSE = 0.002
"""Dice that a file of eight bits may lose."""
_FINDS_NOTHING = 0.1
"""Dice under which there is nothing to lose."""


@dataclass(frozen=True)
class ExportResult:
    """An exported file and what it gives against the run it was made from."""

    path: Path
    parity: Parity
    computed_in: str
    """The precision it was compared in, which is float32 where this processor does not have the one it was made for."""


@random_state_kept()
def export(
    model: str | Path | ModelRef,
    to: ExportFormat,
    data: str | Path | None = None,
    *,
    precision: ExportPrecision = "float32",
    out: str | Path | None = None,
    overwrite: bool = False,
    skip_broken: bool = False,
    model_file: str | None = None,
) -> ExportResult:
    """Write a trained, fused network for another runtime, with its description inside, and measure it.

    The file maps ``image``, (N, C, H, W) of float32 in 0 ... 255, normalised and resized, to ``logits``,
    (N, num_classes, H, W), for every N, H and W of 32 and more; for ExecuTorch N is 1, and H and W end at 512. Mean,
    standard deviation and temperature are inside. What else is to be done before and after is in its metadata under
    ``amsunet``; a checksum of all this is the last of the file. Beside it lies ``FILE.parity.json``.

    Args:
        model: A run folder, a model file, or the name of a network of the zoo.
        to: ``onnx``, ``openvino``, ``pt2`` or ``executorch``.
        data: Real images with masks: it is compared on some of them, and others calibrate eight bits. Those of the run
            when left out, and of a network of the zoo the sample of its name; a model file elsewhere needs them.
        precision: Of what is computed: float32 is exact, bfloat16 needs a processor that computes it, int8 is refused
            where it loses more than ``MAY_LOSE`` of Dice.
        out: The file; when left out, the path of ``ModelRef.export_path``, where ``predict`` looks for it.
        overwrite: Replace a file that is there. In a run's own ``export/`` that needs no word.
        skip_broken: Leave out images and masks that cannot be used.
        model_file: ``FILE.py:FUNCTION``, if the model was trained with a network that is not amsunet's.

    Returns:
        The file, and how it compares with the model it was made from.

    Raises:
        InputError: If the model or the data cannot be used, a package is missing, the format does not have the
            precision, something is at ``out`` or cannot be written there, the network gives NaN or infinity, or eight
            bits lose too much.

    Example:
        >>> import amsunet
        >>> made = amsunet.export("runs/nuclei", "onnx")
        >>> made.path.name, made.parity.dice_lost < 0.001
        ('float32.onnx', True)
    """
    model = ModelRef.resolve(model)
    if precision not in PRECISIONS[to]:
        raise InputError(f"{to} has no {precision}: choose one of {', '.join(PRECISIONS[to])}")
    target, record_path = _targets(model, to, precision, out, overwrite=overwrite)
    network, description = load_model(model.weights, model_file)
    preprocessing = description.preprocessing
    whole = ExportModule(for_inference(network, description.temperature), preprocessing.mean, preprocessing.std)
    images = find_images(model, description, data, skip_broken=skip_broken)
    validation = prepare_images(images.validation, description, LARGEST_SIDE.get(to))
    if not validation:
        raise InputError(f"{images.source} has no validation image: name other DATA")
    training = prepare_images(images.training, description) if precision == "int8" else []
    if precision == "int8" and not training:
        raise InputError(f"{images.source} has no training image to find the ranges of eight bits on: name other DATA")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"model{ALL_SUFFIXES[to]}"
        calibration = [image for image, _ in training]
        write_network(whole, path, to, precision, description=description.model_dump_json(), calibration=calibration)
        runtime = open_runtime(path)
        computed_in = "float32" if runtime.lacking else precision
        scaled = TemperatureScaled(network, description.temperature)
        parity = measure_parity(scaled, description, runtime, validation, name=str(model))
        if precision == "int8":
            _refuse_lossy(parity, images.source)
        checksum = verify_checksum(path)
        remove_abandoned(target.parent)
        with ExitStack() as places:  # all are there before the first is put in its place
            for part in _parts(target):
                shutil.copyfile(path.with_suffix(part.suffix), places.enter_context(atomic_write(part)))
            record_path.unlink(missing_ok=True)  # of an earlier file
    record = {"format": to, "precision": precision, "computed_in": computed_in, "source": images.source}
    write_json(record_path, record | asdict(parity) | {"sha256": checksum})
    return ExportResult(target, parity, computed_in)


def _parts(target: Path) -> list[Path]:
    """The files that a format consists of, the one that is named first."""
    return [target, target.with_suffix(".bin")] if target.suffix == ALL_SUFFIXES["openvino"] else [target]


def _targets(
    model: ModelRef, to: ExportFormat, precision: ExportPrecision, out: str | Path | None, *, overwrite: bool
) -> tuple[Path, Path]:
    """The file to be written and that of its parity; refused where they cannot be written or something is there."""
    target = Path(out) if out is not None else model.export_path(to, precision)
    if target.suffix != ALL_SUFFIXES[to]:
        raise InputError(f"{target} must end in {ALL_SUFFIXES[to]} for {to}")
    record_path = target.with_name(f"{target.name}.parity.json")
    for part in (*_parts(target), record_path):
        check_writable(part)
        if part.exists() and not overwrite and (out is not None or not model.path.is_dir()):
            raise InputError(
                f"{part} is there already: choose another {setting('out')}, or set {setting(overwrite=True)}"
            )
    return target, record_path


def _refuse_lossy(parity: Parity, source: str) -> None:
    """Raise InputError where eight bits lose too much of the network, or where it cannot be told what they lose."""
    if math.isnan(parity.dice_of_torch):
        raise InputError(
            f"no validation image of {source} marks anything, so what eight bits lose cannot be measured there: name "
            "other DATA"
        )
    if parity.dice_of_torch < _FINDS_NOTHING:
        raise InputError(
            f"the network itself finds nothing of what the masks of {source} show (Dice {parity.dice_of_torch:.4f}), "
            "so what eight bits lose cannot be measured there: name other DATA"
        )
    if not parity.dice_lost <= MAY_LOSE:
        raise InputError(
            f"eight bits lose {100 * parity.dice_lost:.2f} points of Dice on {parity.images} validation images of "
            f"{source}, more than {100 * MAY_LOSE:g}: export with {setting(precision='float32')} or bfloat16"
        )
