"""Names and files that somebody meant harm with, through the library: one sentence, and nothing half-written."""

from __future__ import annotations

import os
import shutil

import pytest
from test_text_files import DEEP

import amsunet
from amsunet.cli.settings import settings_of
from amsunet.data.dataset import open_dataset
from amsunet.data.discovery.draft import draft_manifest
from amsunet.data.discovery.manifest import read_manifest
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.report import write_report
from amsunet.inference.ensemble import read_folds
from amsunet.training.run_folder import read_run
from amsunet.training.settings_file import read_settings
from amsunet.training.train import train

UNDECODABLE = os.fsdecode(b"bad\xff")


@pytest.fixture
def class_folders(tmp_path, save, picture, disc):
    """A data set with a folder of masks for each class, by their names."""

    def make(*names: str):
        root = tmp_path / "classes"
        for number in range(8):
            save(root / "images" / f"{number}.png", picture(number))
            for place, name in enumerate(names):
                save(root / "masks" / name / f"{number}.png", disc(number + 20 * place).astype("uint8") * 255)
        return root

    return make


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("lung", "gnp.\u202eheart"), "holds a character that is not seen"),
        (("lung", "a\nb"), "holds a character that is not seen"),
        (("lung", "h" * 101), "is longer than 100 bytes"),
        (("lung", "Lung"), "lung|Lung and .ung are one name to some file systems"),
        (("lung", "a\\b"), r"holds / or"),
    ],
)
def test_folders_that_cannot_name_a_class_are_refused_before_training(class_folders, tmp_path, tiny, names, problem):
    root = class_folders(*names)
    with pytest.raises(InputError, match=problem) as told:
        train(root, {**tiny, "epochs": 1}, out=tmp_path / "run")
    assert "rename its folder or column, or set class_names" in str(told.value)
    assert not (tmp_path / "run" / "config.json").exists()


def test_such_folders_can_be_given_names(class_folders):
    options = amsunet.DataOptions(masks=amsunet.MaskOptions(class_names=("lung", "heart")))
    convention = open_dataset(class_folders("h" * 101, "a\nb"), options).convention
    assert set(convention.class_names[1:]) == {"lung", "heart"} and "a\nb" in convention.folders


def test_a_manifest_of_hostile_names_is_no_formula_and_is_read_again(tmp_path, save, picture, disc):
    root = tmp_path / "set"
    names = ["=1+1", "+a", "-b", "@c", "a\nb", "t\tx", "e\x1b[2J", "\u202egnp", "'=q", "plain"]
    for number, name in enumerate(names):
        save(root / "images" / f"{name}.png", picture(number))
        save(root / "masks" / f"{name}.png", disc(number).astype("uint8") * 255)
    draft = draft_manifest(root, root / "images" / "draft.csv")
    text = draft.path.read_text(encoding="utf-8")
    assert text.splitlines() == text.split("\n")[:-1] and "\x1b" not in text and "\u202e" not in text
    assert not any(line.startswith(("=", "+", "-", "@", "\t")) for line in text.splitlines())
    found = {sample.image.name for sample in read_manifest(draft.path).samples}
    assert found == {f"{name}.png" for name in names}


@pytest.mark.parametrize("name", ["manifest.csv", "notes.csv", "split.json", "patients.txt"])
def test_a_folder_in_place_of_a_table_hinders_nothing_or_is_named(make_dataset, name):
    root = make_dataset()
    expected = len(open_dataset(root).samples)
    (root / name).mkdir()
    try:
        assert len(open_dataset(root).samples) == expected
    except InputError as error:
        assert name in str(error)
    with pytest.raises(InputError, match=r"is a folder, where a file is needed"):
        read_manifest(root / name)


@pytest.mark.parametrize("cell", ["x" * 200_000, '"' + "y\n" * 100_000 + '"'])
def test_a_huge_cell_is_told(make_dataset, cell):
    root = make_dataset()
    (root / "manifest.csv").write_text(f"image,mask\n{cell},masks/00.png\n")
    with pytest.raises(InputError, match=r"manifest\.csv") as told:
        open_dataset(root / "manifest.csv")
    assert len(str(told.value)) < 400


@pytest.mark.parametrize("text", DEEP, ids=range(len(DEEP)))
def test_json_nested_deep_is_told_wherever_it_lies(run, tmp_path, make_dataset, text):
    folder = shutil.copytree(run, tmp_path / "deep")
    for name, read in (("config.json", read_run), ("data.json", read_run), ("folds.json", read_folds)):
        before = (folder / name).read_text() if (folder / name).exists() else "{}"
        (folder / name).write_text(text)
        with pytest.raises(InputError, match=rf"{name} is damaged: copy the run folder again"):
            read(folder)
        (folder / name).write_text(before)
    (tmp_path / "settings.json").write_text(text)
    with pytest.raises(InputError, match=r"settings\.json is not JSON"):
        read_settings(tmp_path / "settings.json")
    root = make_dataset()
    (root / "split.json").write_text(text)
    with pytest.raises(InputError, match=r"split\.json is not a split file"):
        open_dataset(root)
    assert settings_of(None, None, (f"mixer={text}",)) == {"mixer": text}  # type: ignore[arg-type]


def test_data_and_runs_whose_names_no_record_can_hold_are_refused_at_once(make_dataset, tmp_path, tiny):
    root = make_dataset()
    renamed = root.rename(tmp_path / UNDECODABLE)
    for action in (
        lambda: open_dataset(renamed),
        lambda: train(renamed, {**tiny, "epochs": 1}, out=tmp_path / "run"),
        lambda: train("sample:nuclei", {**tiny, "epochs": 1}, out=renamed / "run"),
        lambda: train("sample:nuclei", {**tiny, "pretrained": str(renamed / "run")}, out=tmp_path / "run"),
    ):
        with pytest.raises(InputError, match=r"not UTF-8: rename it|not found") as told:
            action()
        assert told.value
    assert not (tmp_path / "run").exists() and not (renamed / "run").exists()


def test_a_prediction_of_such_names_is_whole_and_its_lists_name_them(run, make_dataset, tmp_path):
    images = make_dataset(4) / "images"
    for number, name in enumerate([UNDECODABLE, "=1+1", "a\nb\x1b[2J", "\u202egnp"]):
        (images / f"{number:02}.png").rename(images / f"{name}.png")
    (images / f"broken-{UNDECODABLE}\n.png").write_bytes(b"x")
    outcome = amsunet.predict(run, images, tmp_path / "masks")
    assert outcome.written == 4 and len(outcome.failures) == 1
    assert (tmp_path / "masks" / f"{UNDECODABLE}.png").is_file()
    (line,) = (tmp_path / "masks" / "failures.txt").read_text(encoding="utf-8").splitlines()
    assert line.count("\t") == 1 and r"broken-bad\udcff\n.png" in line


def test_a_report_shows_names_as_text(run, make_dataset):
    root = make_dataset(4)
    name = "<img src=x onerror=alert(1)>\u202egnp\x1b[2J"
    for folder in ("images", "masks"):
        for number in range(4):
            file = root / folder / f"{number:02}.png"
            file.rename(file.with_name(f"{name}{number}.png"))
    page = write_report(evaluate(run, root)).read_text(encoding="utf-8")
    assert "&lt;img src=x onerror=alert(1)&gt;\\u202egnp\\x1b[2J" in page
    assert "<img src=x" not in page and "\u202e" not in page and "\x1b" not in page


@pytest.mark.parametrize("value", [10**400, 1e300, "x" * 5000, [1] * 1000, [[[[[[1]]]]]]], ids=range(5))
def test_what_could_not_be_read_again_is_not_trained(tmp_path, tiny, value):
    settings = {**tiny, "epochs": 1, "model_options": {"mixer": value}}
    with pytest.raises(InputError) as told:
        train("sample:nuclei", settings, out=tmp_path / "run")
    assert str(told.value).startswith("model_options: ") and len(str(told.value)) < 200
