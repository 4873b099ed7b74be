"""Networks that come with the package: packed, found by name, used as any run."""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import amsunet
import amsunet.zoo
from amsunet.cli import cli
from amsunet.errors import InputError
from amsunet.inference.predictor import Predictor
from amsunet.machine import Machine
from amsunet.training.train import train
from amsunet.zoo import find_card, is_hidden, list_zoo, unknown

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packed(whole, tmp_path_factory):
    """A zoo of one network, packed as the tool does it: its folder, its pages and what it was made from."""
    folder = tmp_path_factory.mktemp("zoo")
    run = Path(shutil.copytree(whole.run, folder / "run"))
    for flips in (False, True):
        amsunet.evaluate(run, split="test", flips=flips)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    words = ["pack_zoo", run, "dots", "--finds", "dots", "--data", "Tiles.", "--terms", "CC0"]
    words += ["--training", "Seconds.", "--fails", "everywhere", "--fails", "always", "--pictures", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(amsunet.zoo, "FOLDER", folder)
        patch.setattr(sys, "argv", [str(word) for word in words])
        tool = runpy.run_path(str(ROOT / "tools" / "pack_zoo.py"))
        patch.setitem(tool["main"].__globals__, "PAGES", folder / "pages")
        patch.setitem(tool["main"].__globals__, "MAY_LOSE", 0.05)  # a network of seconds lies close to its threshold
        tool["main"]()
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}, "packing changed the run"
    return folder


@pytest.fixture
def zoo(packed, monkeypatch, tmp_path):
    monkeypatch.setattr(amsunet.zoo, "FOLDER", packed)
    monkeypatch.chdir(tmp_path)
    return packed


def test_a_packed_network_predicts_as_its_run_and_is_half_as_large(zoo, picture):
    image = picture(64, 64)
    exact = Machine("cpu", "float32", 2)
    one, other = (Predictor(run, machine=exact).predict(image) for run in ("dots", zoo / "run"))
    assert np.allclose(one.probability, other.probability, atol=0.01)
    assert (zoo / "dots.safetensors").stat().st_size < 0.6 * (zoo / "run" / "model.safetensors").stat().st_size


def test_the_card_says_what_was_measured(zoo):
    (card,) = list_zoo()
    text = (zoo / "pages" / "dots.md").read_text(encoding="utf-8")
    assert text.startswith(f"{card}\n") and "](dots.jpg)" in text
    assert "not for diagnosis" in text and f"{card.test.dice:.4f}" in text and "- always" in text
    assert card.test.images == 4


def test_the_page_shows_the_worst_cases_and_the_package_does_not_carry_them(zoo):
    with Image.open(zoo / "pages" / "dots.jpg") as sheet:
        assert sheet.width > 3 * 64 and sheet.height > 2 * 64
    assert not list(zoo.glob("*.jpg"))


def test_a_training_starts_from_it_and_knows_what_it_has_seen(zoo, tiny, tmp_path):
    said: list[str] = []
    train("sample:nuclei", out=tmp_path / "run", epochs=1, start="dots", say=said.append, **tiny)
    assert any("weights of dots taken (100.0%)" in line for line in said)
    assert not any("is not known" in line for line in said)


def test_a_folder_of_that_name_comes_first(zoo, tmp_path):
    assert find_card("dots")
    assert not is_hidden("dots")
    (tmp_path / "dots").mkdir()
    assert find_card("dots") is None
    assert is_hidden("dots")
    result = CliRunner().invoke(cli, ["predict", "dots", "nothing.png", "--out", "masks"])
    assert "note: dots is taken from here" in result.stderr


def test_an_unknown_name_gets_the_nearest(zoo):
    with pytest.raises(InputError, match=r"^dot is missing: .*; did you mean dots\?$"):
        Predictor("dot")
    assert unknown("kidneys") == "with amsunet come: dots"


def test_a_damaged_file_is_refused(packed, monkeypatch, tmp_path):
    folder = Path(shutil.copytree(packed, tmp_path / "zoo"))
    content = bytearray((folder / "dots.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "dots.safetensors").write_bytes(content)
    monkeypatch.setattr(amsunet.zoo, "FOLDER", folder)
    with pytest.raises(InputError, match="checksum"):
        Predictor("dots")


@pytest.mark.parametrize("name", sorted(path.stem for path in amsunet.zoo.FOLDER.glob("*.json")))
def test_what_comes_with_the_package_works_and_has_its_page(name, picture):
    card = find_card(name)
    assert card
    assert (ROOT / "docs" / "zoo" / f"{name}.md").read_text(encoding="utf-8").startswith(f"{card}\n")
    assert card.weights.stat().st_size < 6e6
    image = picture(0)
    result = Predictor(name).predict(image)
    assert result.mask.shape == image.shape[:2]
    assert np.allclose(result.probability.sum(axis=0), 1, atol=1e-5)
