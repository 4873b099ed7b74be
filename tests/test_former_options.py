"""Options of earlier versions are read, and one line names today's."""

from __future__ import annotations

import click
import pytest

from amsunet.cli import cli


@pytest.mark.parametrize(
    ("command", "former", "todays", "noted"),
    [
        ("predict", "r i.png --flips", "--tta flips r i.png", "--flips is called --tta flips"),
        ("evaluate", "--turns r", "--tta rotations r", "--turns is called --tta rotations"),
        ("evaluate", "--turns r --flips", "--tta d4 r", "--flips --turns is called --tta d4"),
        ("predict", "r --model f.py:net", "r --model-file f.py:net", "--model is called --model-file"),
        ("explain", "r i --model=f.py:net", "r i --model-file=f.py:net", "--model is called --model-file"),
        ("train", "d --from=r --windowing depth", "d --pretrained=r --normalization depth", "--from is called"),
        ("train", "d --model unet", "d --model unet", ""),
        ("compare", "d --model unet --flips", "d --model unet --flips", ""),
    ],
)
def test_a_former_option_becomes_todays(command, former, todays, noted, capsys):
    _, found, words = cli.resolve_command(click.Context(cli), [command, *former.split()])
    assert found is cli.commands[command] and words == todays.split()
    assert noted in capsys.readouterr().err
