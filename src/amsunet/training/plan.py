"""The plan: how a data set will be trained on, decided from its fingerprint before training starts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from amsunet.choices import NO_PRETRAINED
from amsunet.data.augmentation import Augmentation
from amsunet.data.channels import describe_channels
from amsunet.data.fingerprint import Fingerprint
from amsunet.data.mirrored import flips_beside
from amsunet.errors import InputError
from amsunet.training.plan_schema import LIGHT, USER_SET, Plan, checked_settings, refused
from amsunet.wording import setting

DEFAULT_MINUTES = 20.0
_WORKING_SIDE = 384
_WORKING_THICKNESS = 12
_SIDE_ON_CPU = 96
_THICKNESS_ON_CPU = 16
"""Small images come up often enough to be learnt in the minutes that a CPU is given (docs/recipe.md)."""
_NEARLY_SQUARE = 4 / 3
_THIN = 6
_DIM = 0.1
"""Range of a channel as a share of the brightest one's, from which down it would have few levels left."""
_LARGEST_CROP = 256
_SMALL_CROP = 160
_SHORT = 10
"""Minutes."""


def make_plan(
    fingerprint: Fingerprint,
    training_images: int,
    settings: Mapping[str, Any] | None = None,
    *,
    device: str,
    processes: int = 1,
) -> Plan:
    """Derive a plan; what the user set stays as set.

    Args:
        fingerprint: What the data set looks like.
        training_images: The number of images that remain for training after the cut of validation images.
        settings: Fields of ``Plan`` by name; and ``recipe``, which is ``paper`` for the released recipe of AMSUnet, but
            for choosing the epoch on the test set.
        device: ``cpu``, ``cuda`` or ``mps``.
        processes: That train it, a batch each in every step.

    Raises:
        InputError: For a setting that is impossible.
    """
    given = checked_settings(settings)
    recipe = given.get("recipe")
    given = {name: value for name, value in given.items() if name in Plan.model_fields}
    if given.get("pretrained") == NO_PRETRAINED:
        given["pretrained"] = None
    short = given.get("epochs") is None and given.get("minutes", DEFAULT_MINUTES) < _SHORT
    derived, reasons = _derive(fingerprint, training_images, device, short=short, scale=given.get("scale"))
    if given.get("pretrained") is None:  # whose network it is otherwise
        derived["model"], reasons["model"] = _network(device)
    if recipe == "paper":
        _follow_paper(derived, reasons, fingerprint)
    _refuse_other_channels(fingerprint, given)
    _settle_window(derived, reasons, given)
    derived |= given
    reasons |= dict.fromkeys(given, USER_SET)
    if derived["crop"][0] != derived["crop"][1] and derived["quarter_turns"]:
        derived["quarter_turns"], reasons["quarter_turns"] = False, "crops are not square"
    elif derived["augmentation_flips"] != "both" and "quarter_turns" not in given:
        derived["quarter_turns"], reasons["quarter_turns"] = False, "half a turn is both flips"
    if derived.get("epochs") is not None and derived.get("minutes") is not None:
        if given.get("epochs") is not None and given.get("minutes") is not None:
            both = f"{setting('epochs')} and {setting('minutes')}"
            raise InputError(f"{both} exclude each other: give one of them")
        derived["epochs" if given.get("minutes") else "minutes"] = None
    if derived.get("epochs") is None and derived.get("minutes") is None:
        derived["minutes"] = DEFAULT_MINUTES
        reasons["minutes"] = "the default"
    try:
        plan = Plan(**derived, reasons={name: why for name, why in reasons.items() if why})
    except ValidationError as error:
        raise refused(error) from None
    if plan.epochs is None or plan.steps_per_epoch is not None:
        return plan
    area = fingerprint.median_height * fingerprint.median_width * plan.scale**2
    crops = 1 if recipe == "paper" else max(1, round(area / math.prod(plan.crop)))
    reason = f"{training_images} images, {crops} crop{'s' * (crops > 1)} of each"
    steps = math.ceil(training_images * crops / (plan.batch_size * processes))
    return plan.model_copy(update={"steps_per_epoch": steps, "reasons": plan.reasons | {"steps_per_epoch": reason}})


def _derive(
    fingerprint: Fingerprint, training_images: int, device: str, *, short: bool, scale: float | None
) -> tuple[dict[str, Any], dict[str, str]]:
    settings: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def decide(name: str, value: Any, why: str) -> None:
        settings[name], reasons[name] = value, why

    scale = _working_scale(fingerprint, device) if scale is None else scale
    decide("in_channels", *_channels(fingerprint))
    decide("scale", scale, f"{fingerprint.structures}, images {_longest(fingerprint)} long")
    if fingerprint.framing is not None:
        decide("image_scale", *fingerprint.framing.decide()[:2])
    uneven = fingerprint.brightness_variation > 1.5 and fingerprint.window is None
    both = uneven and fingerprint.bright_on_dark
    decide("normalization", *_normalization(fingerprint, uneven=uneven, both=both))
    if fingerprint.window is not None:
        decide("window", fingerprint.window, "CT: what nearly all of the foreground has, in Hounsfield units")
    crop, whole, why = _crop(fingerprint, scale)
    decide("crop", crop, why)
    pixels = (16 if device == "cuda" else 2) * 256 * 256
    # Batches of half the images and fewer: each step of an epoch sees others.
    batch = min(max(4, round(pixels / math.prod(crop))), 16 if device == "cuda" else 8, max(2, training_images // 2))
    decide("batch_size", batch, "many small steps on a CPU" if device == "cpu" else "what fills a GPU")
    rare = 1 - fingerprint.class_shares[0] < 0.2
    why = "crops are whole images" if whole else "foreground is rare" if rare else "foreground is not rare"
    decide("foreground_fraction", 0.5 if rare and not whole else 0.0, why)
    decide("augmentation", *_augmentation(fingerprint, scale, training_images, short=short))
    decide("augmentation_flips", *flips_beside(fingerprint.mirrored))
    decide("quarter_turns", True, "square crops")
    decide("inversion", uneven and not both, _why_inverted(uneven, both))
    return settings, reasons


def _network(device: str) -> tuple[str, str]:
    """The network that learns most in its minutes, as far as that is measured (docs/light.md)."""
    if device == "cpu":
        return LIGHT, "it learns more than amsunet in minutes of a CPU"
    return "amsunet", "the default on a GPU"


def _longest(fingerprint: Fingerprint) -> int:
    return max(fingerprint.median_height, fingerprint.median_width)


def _thickness(fingerprint: Fingerprint, scale: float = 1.0) -> float:
    """Of structures, in pixels at a scale; a middling one where it is not known."""
    return (fingerprint.thickness or _WORKING_THICKNESS) * scale


def _working_scale(fingerprint: Fingerprint, device: str) -> float:
    """Large enough for the image as a whole and for its structures, and no larger."""
    side, width = (_SIDE_ON_CPU, _THICKNESS_ON_CPU) if device == "cpu" else (_WORKING_SIDE, _WORKING_THICKNESS)
    longest = _longest(fingerprint)
    # Steps of 32 pixels, as crops have them: little of a crop that is the whole image is then filled up.
    scale = 32 * round(max(side, longest * width / _thickness(fingerprint)) / 32) / longest
    return round(scale, 4) if scale < 0.8 else 1.0


def _crop(fingerprint: Fingerprint, scale: float) -> tuple[tuple[int, int], bool, str]:
    """The size of a crop, whether it is the whole image, and why."""
    thickness = _thickness(fingerprint, scale)
    most = _SMALL_CROP if thickness < _WORKING_THICKNESS else _LARGEST_CROP
    height, width = (max(1, round(side * scale)) for side in (fingerprint.median_height, fingerprint.median_width))
    steps = 32 * math.ceil(height / 32), 32 * math.ceil(width / 32)
    # What is far from square is cut into squares, which can be turned.
    nearly_square = max(height, width) <= _NEARLY_SQUARE * min(height, width)
    if fingerprint.largest_side * scale <= 1.25 * most and nearly_square:
        return steps, True, "the whole image"
    side = min(most, *steps)
    wide = f"structures are {thickness:.0f} pixels wide at this scale"
    return (side, side), False, f"{wide}, for which {most} x {most} at most show enough"


def _augmentation(fingerprint: Fingerprint, scale: float, training_images: int, *, short: bool) -> tuple[str, str]:
    """How strong it is, and why: strong affine maps tear structures a few pixels wide, and need long trainings to
    pay.
    """
    if _thickness(fingerprint, scale) < _THIN:
        return "medium", "thin lines" if fingerprint.thin else "narrow structures"
    if training_images >= 40:
        return "medium", f"{training_images} training images"
    return ("medium", "a short training") if short else ("strong", "few training images")


def _channels(fingerprint: Fingerprint) -> tuple[int, str]:
    if names := fingerprint.channel_names:
        return len(names), describe_channels(len(names), names)
    return (3, "colour images") if fingerprint.coloured else (1, "grey images")


def _normalization(fingerprint: Fingerprint, *, uneven: bool, both: bool) -> tuple[str, str]:
    if fingerprint.channel_names:
        return "channels", "channels are no colours: each by its own range"
    if fingerprint.coloured and fingerprint.channel_balance < _DIM:
        dim = f"the dimmest channel has {fingerprint.channel_balance:.2g} of the brightest one's range"
        return "channels", f"{dim}: each channel by its own"
    if both:
        return "bright_on_dark", "foreground is dark in bright images, bright in dark ones"
    if uneven:
        return "gamma", "brightness differs much between images"
    mixed = "each image by its own range" if len(fingerprint.values) > 1 else "alike in brightness"
    return "percentiles" if fingerprint.bits > 8 else "depth", f"{fingerprint.depth}, {mixed}"


def _settle_window(derived: dict[str, Any], reasons: dict[str, str], given: Mapping[str, Any]) -> None:
    """A window is a range that is the same for all images, so it goes with the normalization by a known range alone."""
    normalization, window = given.get("normalization"), given.get("window")
    if normalization is not None:
        if window is not None and normalization != "depth":
            both = f"{setting('window')} and {setting(normalization=normalization)}"
            raise InputError(f"{both} exclude each other: leave one out")
        for known in (derived, reasons):
            known.pop("window", None)  # the user wants another range
    elif (window or derived.get("window")) is not None:
        derived["normalization"], reasons["normalization"] = "depth", "all images by the window"


def _refuse_other_channels(fingerprint: Fingerprint, given: Mapping[str, Any]) -> None:
    wanted, names = given.get("in_channels"), fingerprint.channel_names
    if wanted is not None and (wanted != len(names) if names else wanted not in (1, 3)):
        has = describe_channels(_channels(fingerprint)[0], names)
        raise InputError(f"in_channels={wanted}: the images have {has}, leave it out")
    if names and "stain" in given.get("extra_augmentation", ()):
        raise InputError(f"{setting(extra_augmentation='stain')}: only colour images have a stain, leave it out")


def _why_inverted(uneven: bool, both: bool) -> str:
    if both:
        return "the normalization sees to it"
    return "dark on bright and bright on dark may both occur" if uneven else "brightness differs little between images"


def _follow_paper(settings: dict[str, Any], reasons: dict[str, str], fingerprint: Fingerprint) -> None:
    side = min(480, 32 * (min(fingerprint.median_height, fingerprint.median_width) // 32))
    paper: dict[str, Any] = {
        "model": "amsunet",
        "scale": 1.0,
        "normalization": "depth",
        "window": None,
        "crop": (max(32, side), max(32, side)),
        "batch_size": 2,
        "foreground_fraction": 0.0,
        "augmentation": "paper",
        "quarter_turns": False,
        "inversion": False,
        "gradient_clip": None,
        "ema": False,
        "epochs": 300,
        "patience": 300,
    }
    settings |= paper
    reasons |= dict.fromkeys(paper, "the released recipe")


def make_augmentation(plan: Plan, channel_names: Sequence[str] = ()) -> Augmentation:
    """What training batches go through.

    Args:
        plan: Of the training.
        channel_names: The names of the channels; empty for grey and colours.
    """
    return Augmentation(
        plan.augmentation,
        coloured=plan.in_channels == 3 and not channel_names,
        separate=bool(channel_names) or plan.in_channels not in (1, 3),
        flips=plan.augmentation_flips,
        quarter_turns=plan.quarter_turns,
        inversion=plan.inversion,
        extra=plan.extra_augmentation,
    )
