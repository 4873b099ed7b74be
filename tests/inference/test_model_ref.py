"""What a name of a model stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from amsunet.errors import InputError
from amsunet.inference.ensemble import fold_folder
from amsunet.inference.model_ref import FILE_NAME, ModelRef
from amsunet.zoo import FOLDER, zoo_names

NETWORKS = ", ".join(zoo_names())


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def test_kinds_are_told_apart(whole, ensemble, tmp_path):
    alone, exported = tmp_path / "alone.safetensors", tmp_path / "net.onnx"
    alone.touch(), exported.touch()
    kinds = {
        whole.run: "run",
        ensemble: "ensemble",
        fold_folder(ensemble, 0): "fold",
        whole.run / FILE_NAME: "file",
        alone: "file",
        exported: "exported",
        "zoo:nuclei": "zoo",
        "nuclei": "zoo",
    }
    assert {name: ModelRef.resolve(name).kind for name in kinds} == kinds
    assert {name: ModelRef.resolve(str(name)).kind for name in kinds} == kinds


def test_a_reference_is_its_own(whole):
    model = ModelRef.resolve(whole.run)
    assert ModelRef.resolve(model) is model


def test_run_and_weights(whole, ensemble, tmp_path):
    folder, file, fold = (
        ModelRef.resolve(name) for name in (whole.run, whole.run / FILE_NAME, fold_folder(ensemble, 1))
    )
    assert folder.run == file.run == whole.run
    assert folder.weights == file.weights == whole.run / FILE_NAME
    assert fold.run == fold.path and fold.weights == fold.path / FILE_NAME
    (tmp_path / FILE_NAME).touch()
    assert ModelRef.resolve(FILE_NAME).run is None, "a model file without the record of a run comes alone"
    zoo = ModelRef.resolve("zoo:nuclei")
    assert zoo.run is None and zoo.weights == FOLDER / "nuclei.safetensors" and zoo.card.name == "nuclei"


def test_what_has_not_one_model_file_names_a_way(ensemble, tmp_path):
    (tmp_path / "net.xml").touch()
    with pytest.raises(InputError, match=r"is an ensemble of networks: name one of them, as \S*fold0"):
        _ = ModelRef.resolve(ensemble).weights
    with pytest.raises(InputError, match=r"net\.xml is an exported network: name the run or the model file"):
        _ = ModelRef.resolve("net.xml").weights


@pytest.mark.parametrize(
    ("name", "expected"),
    [("run", "run/export/int8.onnx"), ("sub/net.safetensors", "sub/net-int8.onnx"), ("zoo:nuclei", "nuclei-int8.onnx")],
)
def test_exported_files_lie_where_they_are_looked_for(tmp_path, name, expected):
    (tmp_path / "run").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "net.safetensors").touch()
    model = ModelRef.resolve(name)
    of_the_package = [FOLDER / "nuclei.onnx"] * (model.kind == "zoo")
    assert model.export_path("onnx", "int8") == Path(expected) and model.exports("onnx") == of_the_package
    for precision in ("int8", "float32"):
        path = model.export_path("onnx", precision)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [path.stem.split("-")[-1] for path in model.exports("onnx")] == ["float32", "int8"] + ["nuclei"] * len(
        of_the_package
    )
    assert model.exports("onnx", "int8") == [Path(expected)]


def test_one_line_says_what_a_bare_name_took(said, tmp_path):
    ModelRef.resolve("zoo:nuclei")
    assert not said
    ModelRef.resolve("nuclei")
    assert said == ["note: nuclei is zoo:nuclei, which comes with amsunet"]
    said.clear()
    (tmp_path / "nuclei").mkdir()
    assert ModelRef.resolve("nuclei").kind == "run"
    assert said == ["note: nuclei is taken from here; zoo:nuclei is the network that comes with amsunet"]
    assert ModelRef.resolve("zoo:nuclei").kind == "zoo"


def test_a_name_holds_in_another_folder(whole, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    names = [ModelRef.resolve(name).absolute for name in ("run", "nuclei")]
    assert names == [str(tmp_path / "run"), "zoo:nuclei"]
    monkeypatch.chdir(tmp_path / "run")
    assert [ModelRef.resolve(name).kind for name in names] == ["run", "zoo"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nuclo", r"^nuclo not found: .*; did you mean zoo:nuclei\?$"),
        ("wings", rf"^wings not found: .*; the zoo has {NETWORKS}$"),
        ("runs/wings", r"^runs/wings not found: check the path"),
        ("wings.onnx", r"^wings\.onnx not found: check the path"),
        ("./nuclei", r"^\./nuclei not found: .*; did you mean zoo:nuclei\?$"),
        ("zoo:nuclo", r"^the zoo has no network nuclo: did you mean nuclei\?$"),
        ("zoo:", rf"^the zoo has no network : there are {NETWORKS}$"),
    ],
)
def test_what_is_not_found_gets_the_nearest_name(name, message):
    with pytest.raises(InputError, match=message):
        ModelRef.resolve(name)
