"""Settings read from the record of a run, or from a file written by hand."""

from __future__ import annotations

import json

import pytest

from amsunet.errors import InputError
from amsunet.training.settings_file import read_settings, settings_over


@pytest.fixture
def write(tmp_path):
    def write(content):
        file = tmp_path / "settings.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return file

    return write


def test_of_a_run_the_settings_of_the_user_are_taken_and_none_that_was_derived(run, repeatable):
    settings = read_settings(run / "config.json")
    assert settings == {name: value for name, value in repeatable.items() if name not in ("device", "precision")}
    assert read_settings(run) == settings


def test_the_released_recipe_is_taken_as_one(write):
    plan = {"epochs": 300, "seed": 3, "ema": False}
    reasons = {"epochs": "the released recipe", "ema": "the released recipe", "seed": "as you said"}
    assert read_settings(write({"plan": {**plan, "reasons": reasons}})) == {"seed": 3, "recipe": "paper"}


def test_a_run_of_a_version_with_one_network_for_all_keeps_it(write):
    plan = {"model": "amsunet", "base_channels": 16, "seed": 3}
    reasons = {"base_channels": "at full width there would be time for only 30 steps", "seed": "set by you"}
    kept = {"model": "amsunet", "base_channels": 16, "seed": 3}
    assert read_settings(write({"plan": {**plan, "reasons": reasons}})) == kept
    derived = {**reasons, "model": "it learns more than amsunet in minutes of a CPU"}
    light = {**plan, "model": "amsunet_lite"}
    assert read_settings(write({"plan": {**light, "reasons": derived}})) == {"seed": 3, "pretrained": "none"}


def test_a_start_that_was_derived_is_derived_anew_and_none_that_was_set_stays(write):
    plan = {"model": "amsunet_lite", "pretrained": "zoo:start", "seed": 3}
    reasons = {"model": "it learns more", "seed": "set by you", "pretrained": "it helps"}
    assert read_settings(write({"plan": {**plan, "reasons": reasons}})) == {"seed": 3}
    assert read_settings(write({"plan": {**plan, "pretrained": None, "reasons": reasons}})) == {"seed": 3}
    none = {**plan, "pretrained": None, "reasons": reasons | {"pretrained": "set by you"}}
    assert read_settings(write({"plan": none})) == {"seed": 3, "pretrained": "none"}


def test_a_file_by_hand_is_checked_as_the_plan_is(write):
    given = {"minutes": 5, "crop": [64, 96], "extra_augmentation": "stain", "ema": None, "deterministic": False}
    read = {"minutes": 5.0, "crop": (64, 96), "extra_augmentation": ("stain",), "deterministic": False}
    assert read_settings(write(given)) == read


def test_former_names_are_read_with_a_line_that_names_the_new_one(write, said):
    assert read_settings(write({"windowing": "gamma", "deep_supervision": False})) == {"normalization": "gamma"}
    assert len(said) == 1 and "windowing in " in said[0] and said[0].endswith("is called normalization now")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"batchsize": 2}, "there is no setting 'batchsize': did you mean batch_size"),
        ({"batch-size": 2}, "there is no setting 'batch-size': did you mean batch_size"),
        ({"wings": 2}, "there is no setting 'wings': help"),
        ({"loss": "dice"}, "loss: .*not dice"),
        ({"minutes": "a\nb"}, r"minutes: .*, not a\\nb$"),
        ({"crop": [[1] * 9000, 64]}, r"crop: .{,400} \.\.\.$"),
        ({"x" * 9000: 1}, r"no setting 'x{,300} \.\.\.: "),
        ({"loss": "ce_dice_boundary"}, "no longer has boundary loss"),
        ({"deep_supervision": True}, "no longer has deep supervision"),
        ({"windowing": "gamma", "normalization": "depth"}, "normalization is set twice, once as windowing"),
        ([1], "holds no settings by name"),
        ("{", "is not JSON"),
        ({"plan": {"wings": 2, "reasons": {"wings": "as you said"}}}, "no setting 'wings'"),
        ({"plan": {"epochs": 3}}, "does not say which settings a user chose"),  # study.json
    ],
)
def test_what_cannot_be_set_is_refused_with_the_file(write, content, message):
    file = write(content)
    with pytest.raises(InputError, match=message) as refusal:
        read_settings(file)
    assert str(file) in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_file_that_is_not_found_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json is not found"):
        read_settings(tmp_path / "none.json")


def test_what_is_given_wins_and_takes_the_place_of_another_budget():
    assert settings_over({"epochs": 3, "seed": 1}, {"seed": 2, "minutes": None}) == {"epochs": 3, "seed": 2}
    assert settings_over({"epochs": 3, "seed": 1}, {"minutes": 2.0}) == {"seed": 1, "minutes": 2.0}
