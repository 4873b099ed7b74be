"""Options of the command line for how data are read: each is written once, with the data."""

from __future__ import annotations

from typing import Any

import click
import pytest

from amsunet.cli import cli
from amsunet.cli.data import data_options
from amsunet.data.masks import MaskOptions
from amsunet.data.options import OPTIONS, DataOptions, read_options
from amsunet.errors import InputError
from amsunet.wording import flag


def _set(*words: str, left_out: tuple[str, ...] = ()) -> DataOptions:
    found: list[DataOptions] = []
    command = click.command()(data_options(*left_out)(lambda data_options: found.append(data_options)))
    command.main(list(words), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize(
    ("words", "masks"),
    [
        ([], MaskOptions()),
        (["--classes", "0,128,255"], MaskOptions(classes=(0, 128, 255))),
        (["--classes", "#ffffff,black,#f00"], MaskOptions(classes=(0xFFFFFF, 0, 0xFF0000), colours=True)),
        (["--class-names", "liver, spleen"], MaskOptions(class_names=("liver", "spleen"))),
        (["--mask-threshold", "0.5", "--ignore-value=-1"], MaskOptions(threshold=0.5, ignore_value=-1)),
        (["--instances"], MaskOptions(instances=True)),
    ],
)
def test_what_is_set_of_masks(words: list[str], masks: MaskOptions) -> None:
    assert _set(*words) == DataOptions(masks=masks)


def test_what_is_set_of_the_data() -> None:
    words = ["--group", r"(P\d+)", "--skip-broken", "--test-fraction", "0.3"]
    assert _set(*words) == DataOptions(group=r"(P\d+)", skip_broken=True, test_fraction=0.3)
    assert _set().model_fields_set == {"masks"}, "what is not set counts as set"


@pytest.mark.parametrize("values", ["0,#zzz", "0,--1", "0,²"])
def test_what_is_no_list_of_values_is_refused(values: str) -> None:
    with pytest.raises(InputError, match=r"classes: .* not a list of whole numbers, or of colours"):
        _set("--classes", values)


@pytest.mark.parametrize("words", [["--test-fraction", "0.95"], ["--ignore-value", "x"], ["--mask-threshold", "high"]])
def test_what_no_data_take_is_refused_with_the_option(words: list[str]) -> None:
    with pytest.raises(click.BadParameter) as refusal:
        _set(*words)
    assert words[0] in refusal.value.format_message()


def test_every_option_is_one_of_the_commands_that_have_it() -> None:
    """With its description as its help."""
    for command, left_out in {
        "check": {"skip_broken"},
        "train": set[str](),
        "evaluate": {"test_fraction"},
        "compare": set[str](),
        "ablate": set[str](),
    }.items():
        found = {one.name: one for one in cli.commands[command].params if isinstance(one, click.Option)}
        assert found.keys() & OPTIONS.keys() == OPTIONS.keys() - left_out, command
        for name in OPTIONS.keys() - left_out:
            described = " ".join((OPTIONS[name].description or "").replace("``", "").split())
            help_text: Any = found[name].help
            assert described and help_text.startswith(described.removesuffix(".")), name
            assert f"--{flag(name)}" in found[name].opts


def test_every_field_is_an_option_or_known_not_to_be() -> None:
    fields = {*MaskOptions.model_fields, *DataOptions.model_fields}
    assert fields - OPTIONS.keys() == {"masks", "colours", "splits"}


def test_options_by_name_are_those_of_masks_and_of_the_data() -> None:
    assert read_options({"classes": "0,7", "group": "x", "ignore_value": None}) == DataOptions(
        masks=MaskOptions(classes=(0, 7)), group="x"
    )
    with pytest.raises(InputError, match="no option 'grup' of data: did you mean group"):
        read_options({"grup": "x"})
