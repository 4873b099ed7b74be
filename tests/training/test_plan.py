"""The rules that turn a fingerprint into a plan."""

from __future__ import annotations

import pytest
from made_fingerprint import made_fingerprint

from amsunet.data.value_range import ValueRange
from amsunet.errors import InputError
from amsunet.training.plan import DEFAULT_MINUTES, make_augmentation, make_plan
from amsunet.training.plan_schema import SETTINGS, Plan, Settings, checked_settings

_EIGHT = ValueRange(type="uint8", low=0, high=255)
_TWELVE = ValueRange(type="uint16", low=0, high=4095)


def _plan(settings=None, *, images=100, device="cpu", recipe="default", **changes):
    return make_plan(made_fingerprint(**changes), images, {**(settings or {}), "recipe": recipe}, device=device)


@pytest.mark.parametrize(
    ("changes", "setting", "expected"),
    [
        ({}, "in_channels", 1),
        ({"coloured": True, "mean": (0.5,) * 3, "std": (0.2,) * 3}, "in_channels", 3),
        ({}, "normalization", "depth"),
        ({"bits": 16}, "normalization", "percentiles"),
        ({"bits": 16, "values": (_EIGHT, _TWELVE)}, "normalization", "percentiles"),
        ({"bits": 16, "channel_balance": 0.01, "coloured": True}, "normalization", "channels"),
        ({"bits": 16, "channel_balance": 0.01}, "normalization", "percentiles"),
        ({"bits": 16, "channel_balance": 0.2, "coloured": True}, "normalization", "percentiles"),
        ({"brightness_variation": 2.0}, "normalization", "gamma"),
        ({"brightness_variation": 2.0, "bright_on_dark": True}, "normalization", "bright_on_dark"),
        ({"bright_on_dark": True}, "normalization", "depth"),
        ({}, "scale", 0.375),
        ({"thickness": 100.0}, "scale", 0.1875),
        ({"median_height": 90, "median_width": 90, "largest_side": 90}, "scale", 1.0),
        ({"thickness": 8.0}, "scale", 1.0),
        ({"median_height": 100, "median_width": 130, "largest_side": 130, "thickness": 10.0}, "crop", (128, 160)),
        ({"median_height": 90, "median_width": 200, "largest_side": 200, "thickness": 10.0}, "crop", (96, 96)),
        ({"median_height": 4000, "median_width": 3000, "largest_side": 4000, "thickness": 40.0}, "crop", (256, 256)),
        ({"median_height": 900, "median_width": 900, "largest_side": 900, "thickness": 3.0}, "crop", (160, 160)),
        ({"median_height": 900, "median_width": 900, "largest_side": 900, "class_shares": (0.95, 0.05)},
         "foreground_fraction", 0.5),
        ({"median_height": 128, "median_width": 128, "largest_side": 128, "class_shares": (0.95, 0.05)},
         "foreground_fraction", 0.0),
        ({}, "quarter_turns", True),
        ({}, "augmentation_flips", "both"),
        ({"mirrored": (("left", "right", "horizontal"),)}, "augmentation_flips", "vertical"),
        ({"mirrored": (("left", "right", "horizontal"),)}, "quarter_turns", False),
        ({"mirrored": (("upper", "lower", "vertical"),)}, "augmentation_flips", "horizontal"),
        ({}, "inversion", False),
        ({"brightness_variation": 2.0}, "inversion", True),
        ({"brightness_variation": 2.0, "bright_on_dark": True}, "inversion", False),
        ({"median_height": 100, "median_width": 130, "largest_side": 130, "thickness": 10.0}, "quarter_turns", False),
    ],
)  # fmt: skip
def test_rule(changes, setting, expected):
    assert getattr(_plan(**changes), setting) == expected


def test_every_derived_setting_says_why():
    plan = _plan()
    for name in ("scale", "normalization", "crop", "batch_size", "augmentation"):
        assert plan.reasons[name]
        assert f"{name} " in str(plan)


_CT = {"bits": 32, "window": (-20.0, 200.0), "brightness_variation": 2.0}


def test_ct_is_seen_by_one_window():
    plan = _plan(**_CT)
    assert (plan.window, plan.normalization, plan.inversion) == ((-20, 200), "depth", False)
    assert "-20 to 200" in str(plan) and "Hounsfield" in plan.reasons["window"]
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    own = _plan({"window": "-160,240"}, **_CT)
    assert (own.window, own.normalization, own.reasons["window"]) == ((-160, 240), "depth", "set by you")
    for normalization in ("percentiles", "depth"):
        other = _plan({"normalization": normalization}, **_CT)
        assert (other.window, other.normalization, other.reasons.get("window")) == (None, normalization, None)
    assert _plan(recipe="paper", **_CT).window is None
    assert _plan({"window": (0, 4095)}, bits=16).window == (0, 4095)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": "240,-160"}, "^window: give the value of black first"),
        ({"window": "40"}, "^window: give the values of black and of white, as -160,240"),
        ({"window": "0,inf"}, "^window: give the value of black first"),
        ({"window": (0, 1), "normalization": "gamma"}, "^window and normalization='gamma' exclude each other"),
    ],
)
def test_a_window_that_cannot_be_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        _plan(settings)


def test_a_gpu_works_on_larger_images():
    assert _plan(device="cuda").scale == 0.75


@pytest.mark.parametrize("scale", [0.25, 0.5])
def test_crops_follow_the_scale_that_was_said(scale):
    assert _plan({"scale": scale}).crop == (512 * scale,) * 2


def test_an_image_shrunk_to_nothing_still_has_a_plan():
    assert _plan({"scale": 0.0001}).crop == (32, 32)


def test_a_scale_that_is_none_is_refused():
    with pytest.raises(InputError, match=r"scale: .*greater than or equal to 0.0001"):
        _plan({"scale": 0.0})


def test_a_gpu_takes_larger_batches_and_never_more_than_there_are_images():
    small = {"median_height": 128, "median_width": 128, "largest_side": 128}
    assert _plan(device="cuda", **small).batch_size > _plan(device="cpu", **small).batch_size
    assert _plan(images=3, **small).batch_size <= 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("crop", (64, 64)),
        ("batch_size", 3),
        ("learning_rate", 1e-4),
        ("base_channels", 8),
        ("seed", 7),
        ("loss", "focal_dice"),
        ("normalization", "gamma"),
    ],
)
def test_what_was_said_stays(name, value):
    plan = _plan({name: value})
    assert getattr(plan, name) == value
    assert plan.reasons[name] == "set by you"


@pytest.mark.parametrize(
    ("settings", "minutes", "epochs"),
    [
        ({}, DEFAULT_MINUTES, None),
        ({"minutes": 3.0}, 3.0, None),
        ({"epochs": 4}, None, 4),
        ({"minutes": None}, 20, None),
    ],
)
def test_budget(settings, minutes, epochs):
    plan = _plan(settings)
    assert (plan.minutes, plan.epochs) == (minutes, epochs)
    assert (plan.steps_per_epoch is None) == (epochs is None)


def test_an_epoch_sees_every_image():
    plan = _plan({"epochs": 2, "batch_size": 8, "crop": (128, 128), "scale": 1.0}, images=10)
    assert plan.steps_per_epoch == 20  # 16 crops of each of 10 images, 8 at a time


def test_the_papers_recipe():
    plan = _plan(recipe="paper", images=20, median_height=584, median_width=565, largest_side=584)
    assert plan.model_dump(exclude={"reasons", "seed", "in_channels", "precision"}) == {
        "model": "amsunet",
        "base_channels": None,
        "model_options": {},
        "pretrained": None,
        "scale": 1.0,
        "image_scale": "factor",
        "normalization": "depth",
        "window": None,
        "crop": (480, 480),
        "batch_size": 2,
        "foreground_fraction": 0.0,
        "augmentation": "paper",
        "extra_augmentation": (),
        "augmentation_flips": "both",
        "loss": "ce_dice",
        "teacher": None,
        "quarter_turns": False,
        "inversion": False,
        "learning_rate": 2e-3,
        "weight_decay": 5e-5,
        "gradient_clip": None,
        "ema": False,
        "epochs": 300,
        "minutes": None,
        "steps_per_epoch": 10,
        "validation_images": None,
        "validated_each_epoch": 24,
        "patience": 300,
    }
    assert _plan({"minutes": 5.0}, recipe="paper").epochs is None


@pytest.mark.parametrize("thickness", [3.0, 10.0, 40.0])
@pytest.mark.parametrize("skeleton_share", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("images", [10, 100])
def test_no_ingredient_that_is_not_measured_is_picked(thickness, skeleton_share, images):
    plan = _plan(images=images, thickness=thickness, skeleton_share=skeleton_share)
    assert (plan.loss, plan.extra_augmentation) == ("ce_dice", ())
    assert plan.normalization == "depth"


def test_thin_lines_are_told_by_their_skeleton():
    lines, dots = (_plan(images=10, thickness=3.0, skeleton_share=share) for share in (0.3, 0.05))
    assert lines.augmentation == dots.augmentation == "medium"
    assert lines.reasons["augmentation"] == "thin lines" and dots.reasons["augmentation"] == "narrow structures"
    assert "skeleton 0.30 of the area" in lines.reasons["scale"]


def test_every_line_of_a_plan_has_its_reason():
    for recipe in ("default", "paper"):
        lines = [line.split(maxsplit=2) for line in str(_plan({"recipe": recipe, "seed": 3})).splitlines()]
        assert all(len(line) == 3 for line in lines)
        assert ["seed", "3", "set by you"] in lines
    assert "the default" in str(_plan({})) and _plan({}).reasons["foreground_fraction"]


def test_an_extra_may_be_a_word():
    plan = _plan({"extra_augmentation": " stain"}, coloured=True)
    assert plan.extra_augmentation == ("stain",)
    assert "extra_augmentation stain" in " ".join(str(plan).split())
    assert "extra_augmentation" not in str(_plan())


def test_quarter_turns_need_square_crops():
    assert not _plan({"crop": (64, 96)}).quarter_turns
    assert _plan({"crop": (64, 96), "quarter_turns": False}).reasons["quarter_turns"] == "set by you"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 2, "minutes": 1.0}, "epochs and minutes exclude each other"),
        ({"batch_size": 0, "epochs": 2}, "batch_size: .*not 0"),
        ({"scale": 0.0, "epochs": 2}, "scale: "),
        ({"crop": (0, 0), "epochs": 2}, "crop: .*not 0"),
        ({"crop": (16, 64)}, "crop: .*not 16"),
        ({"base_channels": 0}, "base_channels: .*not 0"),
        ({"learning_rate": -1.0}, "learning_rate: "),
        ({"steps_per_epoch": 0, "epochs": 2}, "steps_per_epoch: "),
        ({"patience": 0}, "patience: "),
        ({"seed": -1}, "seed: "),
        ({"minutes": float("inf")}, "minutes: "),
        ({"wings": 2}, "there is no setting 'wings': help"),
        ({"batchsize": 2}, "there is no setting 'batchsize': did you mean batch_size"),
        ({"loss": "dice"}, "loss: .*not dice"),
        ({"extra_augmentation": "stain,wings"}, "extra_augmentation: .*not wings"),
        ({"extra_augmentation": "stain"}, "extra_augmentation: only colour images have a stain"),
        ({"extra_augmentation": "stain", "augmentation": "none"}, "extra_augmentation: there is something to add"),
    ],
)
def test_the_impossible_is_refused_by_name(settings, message):
    with pytest.raises(InputError, match=message):
        _plan(settings)


def test_the_window_of_mixed_depths_has_its_reason():
    plan = _plan(bits=16, values=(_EIGHT, _TWELVE))
    assert plan.reasons["normalization"] == "8 bits and 12 bits in 16, each image by its own range"
    dim = _plan(bits=16, channel_balance=0.012, coloured=True).reasons["normalization"]
    assert dim == "the dimmest channel has 0.012 of the brightest one's range: each channel by its own"


def test_flips_are_left_out_with_their_reason_and_may_be_said():
    mirrored = (("left lung", "right lung", "horizontal"),)
    told = _plan(mirrored=mirrored).reasons
    assert told["augmentation_flips"] == "a horizontal flip would turn left lung into right lung"
    assert told["quarter_turns"] == "half a turn is both flips"
    said = _plan({"augmentation_flips": "both"}, mirrored=mirrored)
    assert said.quarter_turns and said.augmentation_flips == "both"
    assert not _plan({"augmentation_flips": "none"}).quarter_turns
    assert _plan({"augmentation_flips": "none", "quarter_turns": True}).quarter_turns


def test_settings_as_an_object_are_those_of_a_mapping():
    given = {"minutes": 5, "crop": "64x96", "ema": False, "model_options": {"skip_attention": "cbam"}, "patience": None}
    assert Settings(**given).given() == checked_settings(given) == checked_settings(Settings(**given))
    assert Settings().given() == {}, "a default counts as set"
    assert set(Settings.model_fields) == set(SETTINGS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batchsize": 2}, "there is no setting 'batchsize': did you mean batch.size"),
        ({"reasons": {}}, "there is no setting 'reasons'"),
        ({"windowing": "depth"}, "there is no setting 'windowing'"),
        ({"batch_size": 0}, r"batch.size: .*greater than or equal to 1, not 0"),
        ({"scale": 5}, r"scale: .*less than or equal to 4, not 5"),
        ({"loss": "ce_dice_boundary"}, "no longer has boundary loss"),
        ({"augmentation": "none", "extra_augmentation": "stain"}, "something to add to"),
        ({"crop": "axb"}, r"crop: give a side, or height x width, in whole numbers, as 64 or 64x96, not axb"),
        ({"crop": (64, 96, 32)}, r"crop: give a side, .*, not 64 x 96 x 32"),
        ({"crop": 16}, r"crop: .*greater than or equal to 32, not 16"),
    ],
)
def test_a_wrong_setting_fails_where_it_is_written(given, message):
    with pytest.raises(InputError, match=message):
        Settings(**given)


def test_a_plan_decides_what_settings_leave_open():
    """The names are declared once; those that a plan always has are declared again, without None."""
    decided = {name for name, field in Plan.model_fields.items() if field.is_required()}
    assert decided == {name for name in decided if SETTINGS[name].default is None}
    assert Plan.model_fields.keys() - {"reasons", "precision"} < SETTINGS.keys(), (
        "precision is measured when it is known"
    )
    assert list(Plan.model_fields)[:5] == ["model", "base_channels", "model_options", "pretrained", "in_channels"]


_STAINS = {"channel_names": ("DAPI", "GFP", "actin"), "mean": (0.5,) * 3, "std": (0.2,) * 3}


def test_channels_that_are_no_colours_are_planned_by_themselves():
    plan = _plan(**_STAINS)
    assert (plan.in_channels, plan.normalization) == (3, "channels")
    assert plan.reasons["in_channels"] == "3 channels (DAPI, GFP, actin)"
    assert make_augmentation(plan, _STAINS["channel_names"])._alone is not None
    assert make_augmentation(plan)._alone is None, "three channels without names are colours"
    assert _plan({"in_channels": 3, "normalization": "depth"}, **_STAINS).normalization == "depth"


@pytest.mark.parametrize("settings", [{"in_channels": 1}, {"in_channels": 4}, {"extra_augmentation": "stain"}])
def test_channels_follow_from_the_images(settings):
    with pytest.raises(InputError, match=r"in_channels=.: the images have 3 channels \(DAPI|only colour images"):
        _plan(settings, **_STAINS)


def test_grey_and_colours_may_be_set_for_each_other_alone():
    assert _plan({"in_channels": 3}).in_channels == 3
    with pytest.raises(InputError, match=r"in_channels=2: the images have one channel \(grey\), leave it out"):
        _plan({"in_channels": 2})
