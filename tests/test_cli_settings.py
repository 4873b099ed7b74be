"""Options that the command line makes from the schema of the plan."""

from __future__ import annotations

from typing import Any

import click
import pytest

from amsunet.cli import cli
from amsunet.cli.settings import NETWORK, STUDY, setting_options
from amsunet.errors import InputError
from amsunet.training.plan_schema import SETTINGS, Manner

_DERIVED_ONLY = {"in_channels"}


def _settings(*words: str, names: Any = tuple(SETTINGS)) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    command = click.command()(setting_options(names)(lambda settings: found.append(settings)))
    command.main(list(words), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ("", {}),
        ("--crop 64", {"crop": (64, 64)}),
        ("--window -160,240", {"window": (-160, 240)}),
        ("--crop 64x96", {"crop": (64, 96)}),
        ("--crop 64,96", {"crop": (64, 96)}),
        ("--minutes 0.5 --batch-size 3", {"minutes": 0.5, "batch_size": 3}),
        ("--no-ema --inversion --deterministic", {"ema": False, "inversion": True, "deterministic": True}),
        ("--extra-augmentation stain", {"extra_augmentation": ("stain",)}),
        (
            "--model-option skip-attention=cbam --model-option dilations=[1,1]",
            {"model_options": {"skip_attention": "cbam", "dilations": [1, 1]}},
        ),
        ("--recipe paper --model unet", {"recipe": "paper", "model": "unet"}),
    ],
)
def test_only_what_is_set_is_passed_on(words, settings):
    assert _settings(*words.split()) == settings


@pytest.mark.parametrize(
    "words",
    ["--scale 0", "--scale 4.1", "--minutes 0", "--batch-size 0", "--loss dice", "--seed -1", "--epochs 1.5",
     "--foreground-fraction 1.1", "--model-option mixer"],
)  # fmt: skip
def test_what_no_training_takes_is_refused_with_the_option(words):
    with pytest.raises(click.BadParameter) as refusal:
        _settings(*words.split())
    assert words.split()[0] in refusal.value.format_message()


@pytest.mark.parametrize(
    "words", ["--crop 16", "--window 240,-160", "--crop 64x96x32", "--crop x", "--extra-augmentation wings"]
)
def test_lists_are_checked_by_the_schema(words):
    with pytest.raises(InputError, match=words.split()[0].strip("-").replace("-", "_")):
        _settings(*words.split())


def test_every_setting_is_an_option_of_the_commands_that_have_it():
    """With its description as its help, and the choices of the schema."""
    of_study = SETTINGS.keys() - {*NETWORK, *Manner.model_fields, *_DERIVED_ONLY, "seed"}
    of_training = SETTINGS.keys() - _DERIVED_ONLY
    for command, names in (
        ("train", of_training),
        ("check", of_training - {"deterministic"}),
        ("compare", of_study),
        ("ablate", of_study),
    ):
        options = {option.name: option for option in cli.commands[command].params if isinstance(option, click.Option)}
        assert names <= options.keys()
        for name in names:
            described = " ".join((SETTINGS[name].description or "").replace("``", "").split())
            assert described and options[name].help.startswith(described.removesuffix("."))
            assert options[name].default is None


def test_every_setting_is_described():
    assert len(SETTINGS) > 25
    for name, field in SETTINGS.items():
        assert field.description, name


def test_options_win_over_a_file(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"epochs": 3, "crop": 64, "batch_size": 2}', encoding="utf-8")
    assert _settings("--config", str(file)) == {"epochs": 3, "crop": (64, 64), "batch_size": 2}
    found = _settings("--batch-size", "4", "--config", str(file), "--minutes", "2")
    assert found == {"crop": (64, 64), "batch_size": 4, "minutes": 2.0}


def test_a_study_leaves_out_what_each_training_has_of_its_own(tmp_path, capsys):
    file = tmp_path / "settings.json"
    file.write_text('{"seed": 3, "batch_size": 2}', encoding="utf-8")
    assert _settings("--config", str(file), names=STUDY) == {"batch_size": 2}
    assert "note: seed of " in capsys.readouterr().err
