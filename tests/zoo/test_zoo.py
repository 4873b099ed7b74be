"""Networks that come with the package: packed, found by name, used as any run."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from made_device import CPU
from PIL import Image

import amsunet
import amsunet.zoo
from amsunet.cli import cli
from amsunet.data.builtin_samples import locate
from amsunet.data.discovery.layout import find_samples
from amsunet.data.masks.labels import read_labels
from amsunet.data.scan import scan_samples
from amsunet.deployment.export import export
from amsunet.deployment.exporters import missing_package
from amsunet.errors import InputError
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.train import train
from amsunet.training.validation import dice_by_class
from amsunet.zoo import list_zoo, read_card, warn_of_terms

EXACT = RuntimeOptions(device="cpu", precision="float32")

ROOT = Path(__file__).parents[2]
needs_export = pytest.mark.skipif(missing_package("onnx") is not None, reason='needs pip install "amsunet[export]"')


@pytest.fixture(scope="module")
def packed(whole, tmp_path_factory):
    """A zoo of one network, packed as the tool does it: its folder, its pages and what it was made from."""
    folder = tmp_path_factory.mktemp("zoo")
    run = Path(shutil.copytree(whole.run, folder / "run"))
    for tta in ("none", "flips"):
        amsunet.evaluate(run, split="test", options=RuntimeOptions(tta=tta))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    words = ["pack_zoo", run, "dots", "--finds", "dots", "--data", "Tiles.", "--terms", "CC0.", "--no-research-only"]
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
    one, other = (Predictor(run, EXACT).predict(image) for run in ("dots", zoo / "run"))
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


def test_a_training_starts_from_it_and_knows_what_it_has_seen(zoo, tiny, tmp_path, said):
    train("sample:nuclei", {"epochs": 1, "pretrained": "dots", **tiny}, out=tmp_path / "run", device=CPU)
    assert any("weights of zoo:dots taken, all of them" in line for line in said)
    assert not any("is not known" in line for line in said)


def test_it_is_evaluated_on_what_it_has_not_seen_and_hides_itself_nowhere(zoo, tmp_path):
    found = amsunet.evaluate("dots", "sample:nuclei", options=EXACT)
    expected = amsunet.evaluate(zoo / "run", split="test", options=EXACT)
    assert [image.sample.name for image in found.images] == [image.sample.name for image in expected.images]
    assert found.interval("dice").mean == pytest.approx(expected.interval("dice").mean, abs=0.05)  # of float16 weights
    assert "12 images are left out: the run, or what it started from, was trained on them" in found.notes
    report = amsunet.write_report(found)
    assert report.parent.parent == Path("evaluations/dots") and "Evaluated is dots, a network" in report.read_text()
    assert ModelRef.resolve("dots").kind == "zoo", "what was written hides the network"


@pytest.mark.parametrize("words", [["evaluate", "dots"], ["export", "dots", "--to", "pt2"]])
def test_without_data_it_is_not_evaluated(zoo, words):
    result = CliRunner().invoke(cli, words)
    assert isinstance(result.exception, InputError) and "dots comes without data" in str(result.exception)


@needs_export
def test_it_is_exported_and_compared_on_other_data(zoo, captured_once):
    """The file has the weights of the run, and the network those that it was packed with."""
    with captured_once():
        made = export("dots", "onnx", "sample:nuclei")
    assert made.path == Path("dots-float32.onnx") and made.path.is_file()
    assert made.parity.images > 4 and 0 < made.parity.largest_difference < 0.05


@needs_export
def test_nuclei_is_exported_on_its_sample_and_predicts(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["export", "zoo:nuclei", "--to", "onnx"], catch_exceptions=False)
    assert result.output.startswith("nuclei-float32.onnx: on 6 validation images: ")
    image = next((locate("sample:nuclei") / "test" / "images").iterdir())
    found = amsunet.load("zoo:nuclei", RuntimeOptions(runtime="onnx"))
    assert str(found) == "ONNX Runtime (nuclei-float32.onnx)"
    exact = Predictor("nuclei", EXACT).predict(image)
    assert np.allclose(found.predict(image).probability, exact.probability, atol=1e-4)


def test_a_folder_of_that_name_comes_first_unless_the_zoo_is_named(zoo, tmp_path):
    assert ModelRef.resolve("dots").kind == "zoo"
    (tmp_path / "dots").mkdir()
    assert ModelRef.resolve("dots").kind == "run"
    assert ModelRef.resolve("zoo:dots").kind == "zoo"
    result = CliRunner().invoke(cli, ["predict", "dots", "nothing.png", "--out", "masks"])
    assert "note: dots is taken from here; zoo:dots is the network that comes with amsunet" in result.output


def test_an_unknown_name_gets_the_nearest(zoo):
    with pytest.raises(InputError, match=r"^dot not found: .*; did you mean zoo:dots\?$"):
        Predictor("dot")
    with pytest.raises(InputError, match=r"^the zoo has no network dot: did you mean dots\?$"):
        Predictor("zoo:dot")
    with pytest.raises(InputError, match=r"^kidneys not found: .*; the zoo has dots$"):
        Predictor("kidneys")


def test_a_damaged_file_is_refused(packed, monkeypatch, tmp_path):
    folder = Path(shutil.copytree(packed, tmp_path / "zoo"))
    content = bytearray((folder / "dots.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "dots.safetensors").write_bytes(content)
    monkeypatch.setattr(amsunet.zoo, "FOLDER", folder)
    with pytest.raises(InputError, match="checksum"):
        Predictor("dots")
    (folder / "dots.safetensors").unlink()
    with pytest.raises(InputError, match=r"dots\.safetensors is missing: .* install amsunet again"):
        Predictor("dots")
    with pytest.raises(InputError, match="install amsunet again"):
        CliRunner().invoke(cli, ["zoo"], catch_exceptions=False)
    (folder / "dots.json").write_text("{")
    with pytest.raises(InputError, match=r"dots\.json is damaged: install amsunet again"):
        list_zoo()


@pytest.mark.parametrize("name", sorted(path.stem for path in amsunet.zoo.FOLDER.glob("*.json")))
def test_what_comes_with_the_package_works_and_has_its_page(name, picture):
    card = read_card(name)
    assert (ROOT / "docs" / "zoo" / f"{name}.md").read_text(encoding="utf-8").startswith(f"{card}\n")
    assert card.weights.stat().st_size < 6e6
    image = picture(0)
    result = Predictor(name).predict(image)
    assert result.mask.shape == image.shape[:2]
    assert np.allclose(result.probability.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("name", sorted(path.stem for path in amsunet.zoo.FOLDER.glob("*.json")))
def test_its_onnx_form_is_the_same_network(name, monkeypatch):
    """That the page and an installation without torch have; of what its weights were when they were last changed."""
    card = read_card(name)
    assert card.onnx.stat().st_size < 6e6
    image = np.asarray(Image.open(next((locate("sample:nuclei") / "test" / "images").iterdir())))
    exact = Predictor(name, EXACT)
    monkeypatch.setattr("amsunet.inference.open_model.is_installed", lambda package: package != "torch")
    other = Predictor(f"zoo:{name}")
    assert "ONNX Runtime" in str(other) and other.description == exact.description
    one, two = exact.predict(image), other.predict(image)
    assert np.abs(one.probability - two.probability).max() < 1e-3
    assert (one.mask != two.mask).mean() < 1e-3
    assert Predictor(f"zoo:{name}", RuntimeOptions(runtime="onnx")).description == exact.description


@pytest.mark.parametrize(
    ("name", "data"), [("nuclei", "DSB2018"), ("vessels", "DRIVE"), ("glands", "GlaS"), ("lesions", "ISIC2017-256")]
)
def test_images_that_it_has_not_seen_are_segmented(shared, name, data):
    """Of some forty images five that the card does not list; to read all of them takes seconds."""
    card = read_card(name)
    samples = find_samples(shared(data)).samples
    assert len(samples) - len(card.seen) >= card.test.images
    scans, problems = scan_samples(samples[:: len(samples) // 40])
    unseen = [scan.sample for scan in scans if scan.checksum not in card.seen]
    assert not problems and 5 <= len(unseen) < len(scans)
    predictor, scores = Predictor(name), []
    known = predictor.description
    for sample in unseen[:5]:
        arrays = predictor.predict(sample.image).probability, read_labels(sample, known.convention)
        scores.append(float(dice_by_class(*(torch.from_numpy(array)[None] for array in arrays), known.threshold)))
    assert np.mean(scores) > 0.6


def test_the_terms_of_weights_are_told_once_where_they_keep_them_to_research(caplog):
    warn_of_terms.cache_clear()
    for name in ("glands", "nuclei", "glands", "vessels"):
        assert ModelRef.resolve(f"zoo:{name}").weights.is_file()
    told = [record.getMessage() for record in caplog.records if record.name.startswith("amsunet")]
    assert [line.split(" are for research only, which the code is not. ")[0] for line in told] == [
        "the weights of glands",
        "the weights of vessels",
    ]
    assert all("\n" not in line and "ask them before any other use" in line for line in told)


def test_research_only_weights_say_so_where_they_are_listed():
    listed = CliRunner().invoke(cli, ["zoo"], catch_exceptions=False).output
    terms = (amsunet.zoo.FOLDER / "LICENSE.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for card in list_zoo():
        assert re.search(rf"^{card.name} .*\n.*; weights: {re.escape(card.licence)}$", listed, re.MULTILINE)
        (row,) = re.findall(rf"^\| `{card.weights.name}` \|.*$", terms, re.MULTILINE)
        (line,) = re.findall(rf"^\|.*\[{card.name}\]\(docs/zoo/.*$", readme, re.MULTILINE)
        assert all(("research only" in text) == card.research_only for text in (row, line, card.licence))
    assert len(re.findall(r"^\| `\w+\.safetensors`", terms, re.MULTILINE)) == len(list_zoo())


def test_the_metadata_of_the_package_names_the_licence_of_the_weights():
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert found["project"]["license"] == "Apache-2.0 AND MIT AND LicenseRef-amsunet-zoo"
    assert "src/amsunet/zoo/LICENSE.md" in found["project"]["license-files"]
    assert "zoo/*.md" in found["tool"]["setuptools"]["package-data"]["amsunet"]
