"""The examples in the docstrings of the public names: each name has one, it runs, and it prints what it shows."""

from __future__ import annotations

import doctest
import importlib.util
import inspect
import shutil
from functools import partial
from typing import Any

import pytest
import torch

import amsunet
from amsunet.data.builtin_samples import locate

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL
EXAMPLES = {
    name: [
        test
        for test in doctest.DocTestFinder(recurse=not inspect.ismodule(found)).find(found, name, globs={})
        if test.examples
    ]
    for name in amsunet.__all__
    for found in (getattr(amsunet, name),)
}


def _short(function: Any, tiny: dict[str, Any], *arguments: Any, **named: Any) -> Any:
    """A training of a few steps, in place of one of minutes; all else is as written."""
    *others, last = arguments
    given = {name: value for name, value in last.items() if name != "minutes"} if isinstance(last, dict) else {}
    others = others if isinstance(last, dict) else arguments
    return function(*others, {**given, **tiny, "epochs": 1}, **named)


@pytest.fixture
def place(tmp_path, monkeypatch, run, golden, tiny, captured_once, trials_here):
    """A folder with what the examples name: image.png, a run, and weights that the authors' code wrote."""
    shutil.copy(next((locate("sample:nuclei") / "test" / "images").iterdir()), tmp_path / "image.png")
    shutil.copytree(run, tmp_path / "runs" / "nuclei")
    arrays = {name.removeprefix("state/"): array for name, array in golden("amsunet_base8").items() if "state/" in name}
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, tmp_path / "published.pth")
    for name in ("train", "check", "compare"):
        taken = {"compare": ("model", "base_channels"), "check": ("model",)}.get(name, ())
        few = {key: value for key, value in tiny.items() if key not in taken}
        monkeypatch.setitem(vars(amsunet), name, partial(_short, getattr(amsunet, name), few))
    monkeypatch.setattr("amsunet.evaluation.explain._DPI", 30)  # pictures of 300 dots an inch take long
    monkeypatch.chdir(tmp_path)
    with captured_once(), trials_here():
        yield


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_runs(name, place):
    assert EXAMPLES[name], f"amsunet.{name} has no example"
    if name == "export" and importlib.util.find_spec("onnxscript") is None:
        pytest.skip('needs pip install "amsunet[export]"')
    for test in EXAMPLES[name]:
        lines: list[str] = []
        done = doctest.DocTestRunner(optionflags=_FLAGS).run(test, out=lines.append)
        assert done.attempted and not done.failed, "".join(lines)
