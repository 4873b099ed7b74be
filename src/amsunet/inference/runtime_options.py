"""How a network is run: by what, where, in which precision, over which views of an image, at which scale."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from amsunet.choices import ExportPrecision, Polarity, TorchPrecision
from amsunet.data.spacing import Spacing, parse_spacing
from amsunet.errors import InputError
from amsunet.inference.model_ref import SUFFIXES
from amsunet.optional import require
from amsunet.wording import setting

if TYPE_CHECKING:
    from amsunet.device import Device

TTA = Literal["none", "flips", "rotations", "d4"]
"""Test-time augmentation: the mean over an image alone, its mirror images, its quarter turns, or all eight symmetries
of the square (the dihedral group D4)."""
RuntimeName = Literal["torch", "onnx", "openvino"]
_DEVICES = ("auto", "cpu", "cuda", "mps")
_OF_TORCH = ("auto", *get_args(TorchPrecision))
_OF_EXPORTS = ("auto", *get_args(ExportPrecision))
LARGEST_SCALE = 16
"""Working pixels per image pixel, on a side."""
_DEEPEST_WAIST = 1000


@dataclass(frozen=True)
class RuntimeOptions:
    """How a network is run. A setting that does not exist, or does not go with another one, is refused here.

    Args:
        runtime: ``torch``, ``onnx`` or ``openvino``; torch for a run, and what a file is for, when left out.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; exported networks run on the CPU.
        precision: ``auto``, ``float32`` or ``bfloat16``; of exported networks the only one they may have, ``float16``
            and ``int8`` too.
        tta: Test-time augmentation. ``flips`` averages over the image and its mirror images, at four times the cost
            (two where a flip would exchange classes and is left out), ``rotations`` over quarter turns, at four times
            the cost, ``d4`` over both, at eight times.
        compile: Run ``torch.compile``; where that is not possible a warning is logged, and the network runs without.

        image_scale: Working pixels per image pixel, in place of what the network does with the size of an image.
        polarity: ``bright-on-dark`` or ``dark-on-bright``: what the objects of all images are, in place of what the
            network finds out of each; for networks of the normalization ``bright_on_dark``.
        separation: How deep a waist must be where objects that touch are parted, in pixels of an image of the size
            trained on, in place of what was chosen at the end of training; 0 for connected components.
        spacing: Size of a pixel of all images, as ``0.5um``, or ``0.8x0.7mm`` for rows and columns, in place of what
            files say; or a number, or two, of millimetres. Of a pyramid that of the level.

    Raises:
        InputError: For a setting that does not exist, with the nearest one, or does not go with another one.

    Example:
        >>> from amsunet.inference.runtime_options import RuntimeOptions
        >>> RuntimeOptions(device="cpu", tta="flips").tta
        'flips'
    """

    runtime: RuntimeName | None = None
    device: str = "auto"
    precision: str = "auto"
    tta: TTA = "none"
    compile: bool = False
    image_scale: float | None = None
    polarity: Polarity = "auto"
    separation: float | None = None
    spacing: str | float | Spacing | None = None

    def __post_init__(self) -> None:
        if self.runtime is not None:
            _check("runtime", self.runtime, get_args(RuntimeName))
        _check("device", self.device, _DEVICES)
        _check("tta", self.tta, get_args(TTA))
        _check("polarity", self.polarity, get_args(Polarity))
        if self.image_scale is not None and not 0 < self.image_scale <= LARGEST_SCALE:
            limits = f"{setting('image_scale')} must be more than 0 and at most {LARGEST_SCALE}"
            raise InputError(f"{limits}, not {self.image_scale:g}")
        if self.separation is not None and not 0 <= self.separation <= _DEEPEST_WAIST:
            limits = f"{setting('separation')} must be at least 0 and at most {_DEEPEST_WAIST}"
            raise InputError(f"{limits} pixels, not {self.separation:g}")
        _ = self.pixel_size
        if self.exported:
            _check("precision", self.precision, _OF_EXPORTS)
            self.refuse_compile()
            if self.device not in ("auto", "cpu"):
                raise InputError(f"exported networks run on the CPU: leave {setting('device')} out")
        else:
            _check("precision", self.precision, _OF_TORCH)

    @classmethod
    def on(cls, device: Device) -> RuntimeOptions:
        """Options of torch on a device that was chosen before."""
        return cls(device=device.type, precision=device.precision)

    @property
    def pixel_size(self) -> Spacing | None:
        """``spacing`` in millimetres, down and across."""
        return None if self.spacing is None else parse_spacing(self.spacing)

    @property
    def exported(self) -> bool:
        """Whether a runtime of exported networks is named."""
        return self.runtime in SUFFIXES

    def choose_device(self) -> Device:
        """The device and precision that torch runs on; loads torch.

        Raises:
            InputError: For a device that this machine does not have.
        """
        require("torch", instead=", or name an exported file, which needs no torch")
        from amsunet.device import choose_device  # noqa: PLC0415 - not there in a small installation

        return choose_device(self.device, self.precision)

    def refuse_compile(self) -> None:
        """Raise InputError if ``compile`` is set, for a network that is exported."""
        if self.compile:
            raise InputError(f"{setting('compile')} is for torch: leave it out with exported networks")


def _check(name: str, value: str, choices: Sequence[str]) -> None:
    if value in choices:
        return
    near = difflib.get_close_matches(str(value), choices, n=1, cutoff=0.7)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"{name} {value!r} is unknown: choose {', '.join(choices[:-1])} or {choices[-1]}{hint}")
