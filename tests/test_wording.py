"""Messages name settings as whoever reads them would type them."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from dataclasses import fields
from pathlib import Path

import click
import numpy as np
import pytest

import amsunet
from amsunet import InputError, MaskOptions
from amsunet.cli import cli
from amsunet.data.dataset import open_dataset
from amsunet.data.options import DataOptions
from amsunet.deployment.export import export
from amsunet.evaluation.compare import compare
from amsunet.evaluation.study import StudyDesign
from amsunet.inference.predict_files import predict
from amsunet.inference.predictor import load
from amsunet.inference.ray_engine import RayEngine
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.plan_schema import SETTINGS
from amsunet.wording import Blank, command, setting, shell_command, spelled, spelled_for

_ROOT = Path(amsunet.__file__).parent
_SETTINGS = r"(?:\b(?:classes=\([^)]*\)|ignore_value=-?\d+|instances=True|threshold=[\d.]+)(?:, )?)+"


@pytest.mark.parametrize(
    ("names", "values", "python", "shell"),
    [
        (("out",), {}, "out", "--out"),
        (("class_names",), {}, "class_names", "--class-names"),
        (("model_file",), {}, "model_file", "--model-file"),
        ((), {"classes": (0.0, 255)}, "classes=(0, 255)", "--classes 0,255"),
        ((), {"classes": (7,)}, "classes=(7,)", "--classes 7"),
        ((), {"classes": (0, 1), "ignore_value": 255}, "classes=(0, 1), ignore_value=255",
         "--classes 0,1 --ignore-value 255"),
        ((), {"classes": (0, 0xFF0000), "colours": True}, "classes=(0x000000, 0xff0000), colours=True",
         "--classes '#000000,#ff0000'"),
        ((), {"ignore_value": -1}, "ignore_value=-1", "--ignore-value=-1"),
        ((), {"threshold": 0.5}, "threshold=0.5", "--mask-threshold 0.5"),
        ((), {"instances": True}, "instances=True", "--instances"),
        ((), {"group": "(P[0-9]+)_"}, "group='(P[0-9]+)_'", "--group '(P[0-9]+)_'"),
        ((), {"class_names": ("a b", "c")}, "class_names=('a b', 'c')", "--class-names 'a b,c'"),
    ],
)  # fmt: skip
def test_a_setting_is_spelled_for_python_and_for_a_shell(names, values, python, shell):
    assert setting(*names, **values) == python
    with spelled_for("shell"):
        assert setting(*names, **values) == shell and spelled() == "shell"
    assert spelled() == "python"


def test_a_command_is_a_call_or_a_line():
    run, blank = Path("runs/a b"), Blank("DATA")
    lines = {
        ("resume", run): ("amsunet.resume('runs/a b')", "amsunet train --resume 'runs/a b'"),
        ("draft_manifest", "my data"): (
            "amsunet.data.discovery.draft.draft_manifest('my data')", "amsunet check 'my data' --write-manifest"
        ),
        ("predict", "nuclei", blank): ("amsunet.predict('nuclei', DATA)", "amsunet predict nuclei DATA"),
    }  # fmt: skip
    for words, (python, shell) in lines.items():
        assert command(*words) == python and shell_command(*words) == shell
        with spelled_for("shell"):
            assert command(*words) == shell
    assert command("train", blank, pretrained="nuclei") == "amsunet.train(DATA, pretrained='nuclei')"
    assert shell_command("train", blank, pretrained="nuclei") == "amsunet train DATA --pretrained nuclei"
    assert command("train", help=True) == "help(amsunet.train)"
    assert shell_command("train", help=True) == "amsunet train --help"


def _calls(*functions: str) -> list[tuple[str, ast.Call]]:
    found = []
    for path in _ROOT.rglob("*.py"):
        if path.name == "wording.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
                found.append((f"{path}:{node.lineno}", node))
    return found


def _strings(node: ast.AST) -> list[str]:
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


def test_every_setting_is_a_parameter_in_python_and_a_flag_in_the_shell():
    functions = (
        amsunet.train,
        amsunet.check,
        amsunet.evaluate,
        load,
        compare,
        export,
        amsunet.export_bioimage,
        amsunet.export_web,
        predict,
    )
    parameters = {name for function in functions for name in inspect.signature(function).parameters}
    parameters |= {"level", *MaskOptions.model_fields, *DataOptions.model_fields, *SETTINGS}
    parameters |= {field.name for field in (*fields(StudyDesign), *fields(RuntimeOptions), *fields(RayEngine))}
    parameters |= {"devices", "nodes", "port"}  # of launchers and of the page
    flags = {flag for one in cli.commands.values() for option in one.params for flag in option.opts}
    calls = _calls("setting")
    assert len(calls) > 90
    for where, call in calls:
        names = [text for argument in call.args if not isinstance(argument, ast.Call) for text in _strings(argument)]
        for name in [*names, *(word.arg for word in call.keywords if word.arg)]:
            assert name in parameters, (where, name)
            assert name == "colours" or shell_command("x", **{name: 1}).split()[2] in flags, (where, name)


def test_every_command_can_be_called_and_typed():
    calls = [(where, call) for where, call in _calls("command") if call.args]  # not click's commands, called to run
    assert calls
    for where, call in calls:
        name = ast.literal_eval(call.args[0])
        python = command(name, "a", "b").split("(")[0]
        home, _, function = python.rpartition(".")
        module = __import__(home, fromlist=[function])
        assert callable(getattr(module, function)), (where, python)
        assert shell_command(name).split()[1] in cli.commands, where


def test_only_the_command_line_spells_flags():
    flags = {flag for one in cli.commands.values() for option in one.params for flag in option.opts}
    assert "--classes" in flags
    for path in _ROOT.rglob("*.py"):
        if path.is_relative_to(_ROOT / "cli") or path.name == "wording.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for text in _strings(tree):
            assert not flags & set(re.findall(r"--[a-z][a-z-]+", text)), (path, text)
        for built in (text for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for text in _strings(node)):
            assert not built.endswith("--"), (path, built)


def _messages(tree: ast.AST) -> list[str]:
    """Texts that are no docstrings, which the site shows and nobody is told."""
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in described
    ]


def test_only_the_command_line_spells_commands():
    spelled_out = re.compile(rf"\bamsunet (?:{'|'.join(cli.commands)})\b")
    assert spelled_out.search("a file that amsunet export made") and not spelled_out.search("install amsunet again")
    for path in _ROOT.rglob("*.py"):
        if path.is_relative_to(_ROOT / "cli") or path.name == "wording.py":
            continue
        for text in _messages(ast.parse(path.read_text(encoding="utf-8"))):
            assert not spelled_out.search(text), (path, text)


@pytest.mark.parametrize(
    "values", [(0, 1000, 40000), (3, 7), (0, 1, 2, 255), (-1, 0, 1)], ids=lambda values: "-".join(map(str, values))
)
def test_what_a_refusal_names_in_python_can_be_pasted(values, save, picture, tmp_path):
    """Masks that are refused are understood with any of the settings that the message names."""
    rng = np.random.default_rng(0)
    for number in range(6):
        save(tmp_path / "set" / "images" / f"{number}.png", picture(number))
        mask = np.zeros((40, 48), np.int32 if min(values) < 0 else np.uint16)
        for place, value in enumerate(values):
            mask[10 * place + rng.integers(0, 3) : 10 * place + 9, 5:30] = value
        path = tmp_path / "set" / "masks" / f"{number}.{'tif' if min(values) < 0 else 'png'}"
        save(path, mask)
    try:
        open_dataset(tmp_path / "set")
        message = ""
    except InputError as error:
        message = str(error)
    named = re.findall(
        r"(?:\b(?:classes=\([^)]*\)|ignore_value=-?\d+|instances=True|threshold=[\d.]+)(?:, )?)+", message
    )
    assert named or not message, message
    assert "--" not in message
    for text in named:
        options = MaskOptions(**eval(f"dict({text})"))
        assert open_dataset(tmp_path / "set", DataOptions(masks=options)).samples


def test_the_command_line_tells_flags_and_python_parameters(make_dataset, tmp_path):
    from click.testing import CliRunner

    data = make_dataset(6, foreground=7)
    for path in sorted((data / "masks").iterdir())[:3]:
        path.write_bytes(b"no image")
    told = CliRunner().invoke(cli, ["train", str(data), "--out", str(tmp_path / "run")]).exception
    assert isinstance(told, InputError) and "--skip-broken leaves them out" in str(told)
    with pytest.raises(InputError, match="skip_broken=True leaves them out"):
        open_dataset(data)
    assert spelled() == "python", "the command gave it back"


def test_lines_for_the_shell_are_what_click_takes():
    line = shell_command("train", "my data", classes=(0, 5), ignore_value=-1, group="(a b)", pretrained="nuclei")
    words = shlex.split(line)[2:]
    train = cli.commands["train"]
    assert isinstance(train, click.Command)
    parser = train.make_parser(click.Context(train))
    options, arguments, _ = parser.parse_args(args=words)
    assert arguments == [] and options["data"] == "my data"
    assert (options["classes"], options["ignore_value"], options["group"]) == ("0,5", "-1", "(a b)")
