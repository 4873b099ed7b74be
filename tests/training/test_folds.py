"""A network for each fold: who sees what, and what is done again after a stop."""

from __future__ import annotations

import json
import shutil

import pytest
from made_device import CPU

from amsunet.data.options import DataOptions
from amsunet.errors import InputError
from amsunet.inference.ensemble import FoldScore, fold_folder, read_folds, write_folds
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.training import folds
from amsunet.training.run_folder import read_run
from amsunet.training.train import resume, train


@pytest.fixture
def settings(quick):
    return quick | {"epochs": 2}


@pytest.fixture
def copy(ensemble, tmp_path):
    """The finished ensemble at another place."""
    return shutil.copytree(ensemble, tmp_path / "copy")


@pytest.fixture
def records(record):
    """The record of every fold of an ensemble."""
    return lambda run: [record(fold_folder(run, fold)) for fold in range(3)]


def test_every_training_image_is_unseen_by_one_network_and_test_images_by_all(ensemble):
    whole, dealt = read_run(ensemble)[1], read_folds(ensemble)
    of_folds = [read_run(fold_folder(ensemble, fold))[1].splits for fold in range(3)]
    for name, split in whole.splits.items():
        assert split in ("train", "test")
        unseen = [fold for fold in range(3) if of_folds[fold][name] != "train"]
        assert unseen == ([0, 1, 2] if split == "test" else [dealt.fold_of[name]])
    assert [score.images for score in dealt.scores.values()] == [4, 4, 4]


def test_a_fold_is_an_ordinary_run(ensemble, settings, record, tmp_path):
    splits = read_run(fold_folder(ensemble, 1))[1].splits
    train(
        "sample:nuclei",
        {"seed": 1, **settings},
        out=tmp_path / "run",
        data_options=DataOptions(splits=splits),
        device=CPU,
    )
    assert record(tmp_path / "run") == record(fold_folder(ensemble, 1))
    assert read_run(tmp_path / "run")[1] == read_run(fold_folder(ensemble, 1))[1]


def test_the_threshold_is_chosen_on_all_images_together(ensemble):
    scores = {0: _score(1, {0.5: 0.2, 0.4: 0.9}), 2: _score(3, {0.5: 0.8, 0.4: 0.1})}
    dealt = read_folds(ensemble).model_copy(update={"scores": scores})
    assert dealt.dice_at() == pytest.approx({0.5: 0.65, 0.4: 0.3})
    assert dealt.threshold == 0.5


def _score(images, dice_at):
    return FoldScore(images=images, epochs=1, dice_at=dice_at)


def test_a_stopped_ensemble_resumed_equals_an_unbroken_one(
    ensemble, settings, interrupt, records, tmp_path, monkeypatch, said
):
    run = tmp_path / "run"
    _interrupt_the_second_fold(monkeypatch, interrupt)
    stopped = train("sample:nuclei", settings, out=run, folds=3, device=CPU)
    monkeypatch.undo()
    assert stopped.interrupted and list(read_folds(run).scores) == [0]
    before = (fold_folder(run, 0) / FILE_NAME).stat().st_mtime_ns
    resumed = resume(run)
    assert (fold_folder(run, 0) / FILE_NAME).stat().st_mtime_ns == before
    assert any(line.startswith("fold0 (1 of 3) is done") for line in said)
    assert any(line.startswith("fold1 (2 of 3): goes on") for line in said)
    assert any(line.startswith("fold2 (3 of 3): begins") for line in said)
    assert records(run) == records(ensemble)
    assert resumed.folds == read_folds(run) == read_folds(ensemble)
    assert resumed.validation_dice == max(resumed.folds.dice_at().values())


def _interrupt_the_second_fold(monkeypatch, interrupt):
    """Ctrl-C in the second epoch of the second network."""
    fit, fitted = folds.fit, []

    def counting(*arguments, **options):
        fitted.append(arguments[0].name)
        if len(fitted) == 2:
            interrupt(1, 0)
        return fit(*arguments, **options)

    monkeypatch.setattr(folds, "fit", counting)


@pytest.mark.parametrize("damage", ["gone", "no model", "cut model"])
def test_a_fold_that_is_missing_or_damaged_is_trained_anew_and_no_other(copy, ensemble, records, damage, said):
    folder = fold_folder(copy, 1)
    if damage == "gone":
        shutil.rmtree(folder)
    elif damage == "no model":
        (folder / FILE_NAME).unlink()
    else:
        (folder / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes()[:-100])
    resume(copy)
    assert [line for line in said if "begins" in line] == ["fold1 (2 of 3): begins, 8 images to train, 4 to validate"]
    assert records(copy) == records(ensemble)
    assert read_folds(copy) == read_folds(ensemble)


def test_a_fold_killed_before_its_first_epoch_ended_begins_anew(copy, ensemble, records, said):
    dealt = read_folds(copy)
    write_folds(copy, dealt.model_copy(update={"scores": {k: v for k, v in dealt.scores.items() if k != 2}}))
    for name in ("last.ckpt", "previous.ckpt"):
        (fold_folder(copy, 2) / name).unlink()
    resume(copy)
    assert any(line.startswith("fold2 (3 of 3): begins") for line in said)
    assert records(copy) == records(ensemble)


def test_images_named_for_validation_are_in_the_folds_too(make_dataset, quick, tmp_path):
    data = make_dataset(12)
    for split, names in {"train": range(6), "val": range(6, 9), "test": range(9, 12)}.items():
        for kind in ("images", "masks"):
            (data / split / kind).mkdir(parents=True)
            for name in names:
                (data / kind / f"{name:02}.png").rename(data / split / kind / f"{name:02}.png")
    shutil.rmtree(data / "images")
    shutil.rmtree(data / "masks")
    training = train(data, {"epochs": 1, **quick}, out=tmp_path / "run", folds=2, device=CPU)
    assert len(training.folds.fold_of) == 9
    assert read_run(training.run)[1].splits.keys() - training.folds.fold_of.keys() == {
        name for name, split in read_run(training.run)[1].splits.items() if split == "test"
    }


def test_too_many_folds_are_refused_and_leave_nothing(quick, tmp_path):
    with pytest.raises(InputError, match="12 images or patients cannot be cut into 30 folds: ask for fewer"):
        train("sample:nuclei", {"epochs": 1, **quick}, out=tmp_path / "run", folds=30, device=CPU)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("removed", [(), ("config.json",), ("config.json", "folds.json")])
def test_folds_of_another_training_are_never_gone_on_with(copy, settings, removed):
    for name in removed:
        (copy / name).unlink()
    with pytest.raises(InputError, match="holds a run already"):
        train("sample:nuclei", settings, out=copy, folds=3, device=CPU)


def test_an_ensemble_without_its_folds_is_not_trained_as_one_network(copy):
    (copy / "folds.json").unlink()
    before = sorted(copy.rglob("*"))
    with pytest.raises(InputError, match=r"folds\.json is missing"):
        resume(copy)
    assert sorted(copy.rglob("*")) == before


def test_a_changed_digit_in_the_scores_is_noticed_and_a_file_of_an_earlier_version_is_read(copy):
    path = copy / "folds.json"
    sound, known = path.read_text(encoding="utf-8"), read_folds(copy)
    path.write_text(sound.replace('"epochs": 2', '"epochs": 3', 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"folds\.json is damaged"):
        read_folds(copy)
    path.write_text(json.dumps({k: v for k, v in json.loads(sound).items() if k != "sha256"}), encoding="utf-8")
    assert read_folds(copy) == known


def test_an_ensemble_is_no_start_and_a_fold_of_it_is(ensemble, quick, tmp_path):
    with pytest.raises(InputError, match=r"is an ensemble of networks: name one of them, as .*fold0"):
        train("sample:nuclei", {"epochs": 1, "pretrained": str(ensemble), **quick}, out=tmp_path / "run", device=CPU)
    training = train(
        "sample:nuclei", {"epochs": 1, "pretrained": str(ensemble / "fold0"), **quick}, out=tmp_path / "run", device=CPU
    )
    assert load_model(training.run / FILE_NAME)[1].arguments["base_channels"] == 4
