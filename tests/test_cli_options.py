"""Options of the command line that tell what masks mean."""

from __future__ import annotations

import click
import pytest

from amsunet.cli.options import data_options, take_data_options
from amsunet.data.masks import MaskOptions


def _said(*words: str) -> MaskOptions:
    found: list[MaskOptions] = []
    command = click.command()(data_options(lambda **values: found.append(take_data_options(values).masks)))
    command.main(list(words), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], MaskOptions()),
        (["--classes", "0,128,255"], MaskOptions(classes=(0, 128, 255))),
        (["--classes", "#ffffff,black,#f00"], MaskOptions(classes=(0xFFFFFF, 0, 0xFF0000), colours=True)),
        (["--class-names", "liver, spleen"], MaskOptions(class_names=("liver", "spleen"))),
        (["--mask-threshold", "0.5", "--ignore-value=-1"], MaskOptions(threshold=0.5, ignore_value=-1)),
    ],
)
def test_what_is_said_of_masks(words: list[str], said: MaskOptions) -> None:
    assert _said(*words) == said


@pytest.mark.parametrize("values", ["0,#zzz", "0,--1", "0,²"])
def test_what_is_no_list_of_values_is_refused(values: str) -> None:
    with pytest.raises(click.BadParameter, match="not a list of whole numbers, or of colours"):
        _said("--classes", values)
