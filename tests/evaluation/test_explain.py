"""Pictures of what a network looks at."""

from __future__ import annotations

import numpy as np
import pytest
from made_device import CPU
from PIL import Image

from amsunet.data.builtin_samples import locate
from amsunet.data.images import write_image
from amsunet.errors import InputError
from amsunet.evaluation import explain as module
from amsunet.evaluation.explain import explain
from amsunet.inference import model_file as loader
from amsunet.inference.model_file import for_inference, load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.networks import Networks
from amsunet.training.train import train


@pytest.fixture(scope="module")
def picture():
    return next((locate("sample:nuclei") / "test" / "images").glob("*.png"))


@pytest.fixture
def undrawn(monkeypatch):
    """Nothing is drawn, which is most of the work, for what is not about pictures."""
    monkeypatch.setattr(module, "_save", lambda figure, out, name: out / name)


def test_amsunet_shows_its_attention_and_gates(run, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_DPI", 180)  # pictures of 300 dots an inch take long
    drawn = explain(run, picture, tmp_path / "out")
    assert [path.name for path in drawn] == ["receptive_field.png", "attention.png", "gates.png"]
    for path in drawn:
        with Image.open(path) as opened:
            assert min(opened.size) > 300
            assert len(set(opened.convert("L").resize((60, 60)).getdata())) > 20, "nothing is drawn"
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_every_picture_says_where_in_the_network_it_is(run, undrawn, picture, tmp_path, monkeypatch):
    titles = []
    heat = module._heat
    monkeypatch.setattr(module, "_heat", lambda *words, **more: (titles.append(words[4]), heat(*words, **more)))
    explain(run, picture, tmp_path / "out")
    encoder, decoder = (
        [f"{side} {place}" for place in range(1, last + 1)] for side, last in (("encoder", 5), ("decoder", 4))
    )
    assert titles[-13:] == [*encoder, *decoder, *decoder]


def test_another_network_shows_its_receptive_field(quick, picture, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_DPI", 30)
    training = train("sample:nuclei", {"epochs": 1, **quick}, out=tmp_path / "run", device=CPU)
    assert [path.name for path in explain(training.run, picture, tmp_path / "out")] == ["receptive_field.png"]


def test_explaining_leaves_no_trace_in_the_network(run, undrawn, picture, tmp_path, monkeypatch):
    made = []

    def keep(*given):
        made.append(for_inference(*given))
        return made[0]

    monkeypatch.setattr("amsunet.inference.model_file.for_inference", keep)
    explain(run, picture, tmp_path / "out")
    assert not any(module._forward_hooks for module in made[0].modules())


def test_an_image_in_doubt_is_explained_the_way_round_it_is_predicted(run, undrawn, tmp_path, monkeypatch):
    network, known = load_model(run / FILE_NAME)
    kind = known.preprocessing.model_copy(update={"normalization": "bright_on_dark"})
    save_model(tmp_path / "run" / FILE_NAME, network, known.model_copy(update={"preprocessing": kind}))
    image = np.random.default_rng(0).integers(50, 80, (64, 64, 1), np.uint8)
    image[:, :32] += 130
    write_image(tmp_path / "half.png", image[..., 0])
    found = kind.find_range(image)
    assert found.other is not None
    monkeypatch.setattr(Networks, "choose_range", lambda self, key, first, view: first.other)
    seen, middle = [], module._middle
    monkeypatch.setattr(module, "_middle", lambda one: seen.append(one) or middle(one))
    explain(tmp_path / "run", tmp_path / "half.png", tmp_path / "out")
    assert np.array_equal(seen[0], kind.resize(kind.normalize(image, found.other)))


def test_the_network_is_loaded_once(run, undrawn, picture, tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(loader, "load_model", lambda *given: loaded.append(given) or load_model(*given))
    explain(run, picture, tmp_path / "out")
    assert len(loaded) == 1


def test_an_ensemble_is_not_explained(tmp_path):
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / "folds.json").write_text("{}")
    with pytest.raises(InputError, match="several is an ensemble of networks: name one of them, as"):
        explain(tmp_path / "several", "image.png", tmp_path / "out")


def test_what_cannot_be_read_is_said(run, tmp_path):
    (tmp_path / "no.png").write_text("text")
    with pytest.raises(InputError, match=r"no\.png"):
        explain(run, tmp_path / "no.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()
