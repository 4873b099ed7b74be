"""Trainings from beginning to end: the run folder, and that the same command gives the same weights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from made_device import CPU
from tally import SEED

from amsunet.cli import main
from amsunet.errors import InputError
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.training import callbacks
from amsunet.training.lightning_module import SegmentationTask
from amsunet.training.train import resume, train


class _Killed(BaseException):
    """Nothing catches it."""


def _python(code: str, *arguments: str, **options) -> subprocess.Popen[str]:
    """Start another Python that computes with as many threads as this one, so that sums come out alike."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen([sys.executable, "-u", "-c", code, *arguments], env=environment, text=True, **options)


def test_run_folder_is_complete(whole):
    names = {path.name for path in whole.run.iterdir()}
    assert names >= {"config.json", "data.json", "environment.json", "metrics.csv", "last.ckpt", FILE_NAME}
    assert not [name for name in names if "partial" in name]
    config = json.loads((whole.run / "config.json").read_text())
    assert (config["plan"]["epochs"], config["plan"]["base_channels"], config["deterministic"]) == (3, 4, True)
    data = json.loads((whole.run / "data.json").read_text())
    assert data["source"] == "sample:nuclei"
    assert data["splits"].keys() == data["checksums"].keys()
    assert set(data["splits"].values()) == {"train", "val", "test"}
    assert json.loads((whole.run / "environment.json").read_text())["packages"]["torch"] == torch.__version__


def test_metrics_hold_a_row_for_each_epoch_and_the_best_is_kept(whole, record):
    rows = record(whole.run)[1]
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    assert float(rows[-1]["learning_rate"]) == pytest.approx(0, abs=1e-9)
    dice = [float(row["val_dice"]) for row in rows]
    assert whole.training.best_epoch == dice.index(max(dice))
    assert (whole.training.epochs, whole.training.interrupted) == (3, False)
    assert whole.training.validation_dice >= max(dice) - 1e-6  # the threshold is chosen on the same images


def test_first_lines_say_where_what_and_how(whole):
    first, *others = whole.said.splitlines()
    assert first.startswith("on CPU ")
    assert "sample:nuclei: 10 images to train, 2 to validate, 4 to test" in others
    assert "plan:" in others


def test_model_describes_its_use(whole):
    network, description = load_model(whole.run / FILE_NAME)
    assert 0 < description.uncertainty_limit < 1
    assert len(description.image_statistics.images) == 10
    assert f"threshold {description.threshold:g}; " in whole.said
    assert description.arguments == {"in_channels": 1, "num_classes": 2, "base_channels": 4}
    assert description.convention.values == (0, 255)
    assert description.preprocessing.in_channels == 1
    assert not network.training


def test_the_same_command_gives_the_same_weights(whole, repeatable, record, tmp_path):
    train("sample:nuclei", repeatable, out=tmp_path / "run", device=CPU)
    assert record(tmp_path / "run") == record(whole.run)


def test_another_seed_gives_other_weights(whole, repeatable, record, tmp_path):
    train("sample:nuclei", {**(repeatable | {"epochs": 1}), "seed": 1}, out=tmp_path / "run", device=CPU)
    assert record(tmp_path / "run")[0] != record(whole.run)[0]


def test_a_stopped_training_resumed_equals_an_unbroken_one(whole, repeatable, interrupt, record, tmp_path, monkeypatch):
    interrupt(1, 0)
    stopped = train("sample:nuclei", repeatable, out=tmp_path / "run", device=CPU)
    monkeypatch.undo()
    assert stopped.interrupted
    assert len(record(stopped.run)[1]) == 1
    resumed = resume(stopped.run)
    assert record(resumed.run) == record(whole.run)
    assert (resumed.epochs, resumed.best_epoch) == (whole.training.epochs, whole.training.best_epoch)
    assert resumed.validation_dice == whole.training.validation_dice


def test_a_killed_training_resumed_equals_an_unbroken_one(whole, repeatable, record, tmp_path, monkeypatch):
    def kill(self, trainer, *_):
        if trainer.current_epoch == 1:
            raise _Killed

    with monkeypatch.context() as patch, pytest.raises(_Killed):
        patch.setattr(callbacks.Progress, "on_train_batch_end", kill)
        train("sample:nuclei", repeatable, out=tmp_path / "run", device=CPU)
    assert len(record(tmp_path / "run")[1]) == 1
    resume(tmp_path / "run")
    assert record(tmp_path / "run") == record(whole.run)


def test_ctrl_c_ends_well_with_a_model_and_a_report(interrupt, tmp_path, monkeypatch, capfd):
    options = "--epochs 1000 --steps-per-epoch 2 --model unet --base-channels 4 --crop 32 --batch-size 2 --device cpu"
    run = tmp_path / "run"
    monkeypatch.setattr(sys, "argv", ["amsunet", "train", "sample:nuclei", "--out", str(run), *options.split()])
    interrupt(2, 0)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capfd.readouterr().out
    assert not ended.value.code, said
    assert "epoch   2 of 1000" in said and "epoch   4 of 1000" not in said
    assert "--resume" in said
    assert (run / "report.html").is_file()
    load_model(run / FILE_NAME)


@pytest.mark.torture
def test_ctrl_c_from_outside_ends_well_with_a_model_and_a_report(make_dataset, tmp_path):
    command = "import sys; from amsunet.cli import main; main()"
    options = "--epochs 1000 --steps-per-epoch 2 --base-channels 4 --crop 32 --batch-size 2 --device cpu"
    run = tmp_path / "run"
    process = _python(
        command, "train", str(make_dataset(8)), "--out", str(run), *options.split(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"epoch   {1 + SEED % 4} of 1000"):
            process.send_signal(signal.SIGINT)
            break
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said
    assert "--resume" in said
    assert (run / "report.html").is_file()
    load_model(run / FILE_NAME)


def test_ctrl_c_in_the_first_epoch_keeps_a_model_too(quick, interrupt, tmp_path):
    interrupt(0, 0)
    training = train("sample:nuclei", quick | {"epochs": 3}, out=tmp_path / "run", device=CPU)
    assert training.interrupted
    load_model(training.run / FILE_NAME)


def test_resuming_a_finished_training_changes_nothing(whole, record, tmp_path):
    training = resume(shutil.copytree(whole.run, tmp_path / "run"))
    assert record(training.run) == record(whole.run)
    assert training.epochs == 3
    assert training.best_epoch == whole.training.best_epoch


def test_a_training_that_stopped_for_lack_of_progress_stays_stopped(quick, record, tmp_path):
    settings = quick | {"epochs": 9, "patience": 1, "learning_rate": 1e-12}
    stopped = train("sample:nuclei", settings, out=tmp_path / "run", device=CPU)
    assert stopped.epochs < 9
    assert len(record(stopped.run)[1]) == stopped.best_epoch + 2
    before = record(stopped.run)
    resume(stopped.run)
    assert record(stopped.run) == before


def test_a_run_goes_on_with_its_data_elsewhere(quick, interrupt, make_dataset, tmp_path, monkeypatch):
    data = make_dataset(12)
    interrupt(1, 0)
    stopped = train(data, quick | {"epochs": 3}, out=tmp_path / "run", device=CPU)
    monkeypatch.undo()
    data.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="set"):
        resume(stopped.run)
    resumed = resume(stopped.run, tmp_path / "moved")
    assert resumed.epochs == 3
    assert json.loads((resumed.run / "data.json").read_text())["source"] == str(tmp_path / "moved")
    with pytest.raises(InputError, match="no longer what the run was trained on"):
        resume(resumed.run, "sample:nuclei")


def test_divergence_ends_with_a_suggestion(tiny, tmp_path):
    with pytest.raises(InputError, match=r"diverged in epoch \d+ .*learning_rate=250000 or precision='float32'"):
        train("sample:nuclei", {"epochs": 30, **tiny, "learning_rate": 1e6}, out=tmp_path / "run", device=CPU)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_no_number_is_left_out(quick, tmp_path, monkeypatch, clip):
    """One does not spoil the weights; one after another ends the training."""
    clipped, spoilt = SegmentationTask.on_before_optimizer_step, {2, 3}

    def spoil(self, optimizer):
        if self.global_step in spoilt:
            spoilt.discard(self.global_step)
            self.network.head.bias.grad.fill_(float("nan"))
        clipped(self, optimizer)

    monkeypatch.setattr(SegmentationTask, "on_before_optimizer_step", spoil)
    options = {**quick, "gradient_clip": clip}
    made = train("sample:nuclei", {"epochs": 2, **options}, out=tmp_path / "run", device=CPU)
    assert not spoilt, "they came up"
    assert all(value.isfinite().all() for value in load_model(made.run / FILE_NAME)[0].state_dict().values())
    spoilt = set(range(1000))
    with pytest.raises(InputError, match="diverged in epoch"):
        train("sample:nuclei", {"epochs": 4, **options}, out=tmp_path / "other", device=CPU)


@pytest.mark.parametrize(
    ("epoch", "kept"), [(0, "nothing was kept"), (1, "the weights of epoch 1 are kept")], ids=["first", "second"]
)
def test_weights_that_are_no_numbers_are_never_kept(quick, tmp_path, monkeypatch, epoch, kept):
    """The last step of an epoch spoils the weights, so that validation is the first to see them."""
    step = SegmentationTask.on_train_batch_end

    def spoil(self, outputs, batch, index):
        step(self, outputs, batch, index)
        if (self.current_epoch, index) == (epoch, quick["steps_per_epoch"] - 1):
            self.network.head.bias.data.fill_(float("nan"))

    monkeypatch.setattr(SegmentationTask, "on_train_batch_end", spoil)
    run = tmp_path / "run"
    with pytest.raises(InputError, match=rf"diverged in epoch {epoch + 1} .*{kept}"):
        train("sample:nuclei", {"epochs": 3, "ema": False, **quick}, out=run, device=CPU)
    assert (run / FILE_NAME).exists() == (epoch > 0)
    if epoch:
        assert all(value.isfinite().all() for value in load_model(run / FILE_NAME)[0].state_dict().values())


def test_a_run_is_never_overwritten(whole, tiny):
    with pytest.raises(
        InputError, match=r"holds a run already: choose another out, or go on with amsunet\.resume\('.*run'\)"
    ):
        train("sample:nuclei", {"epochs": 1, **tiny}, out=whole.run, device=CPU)
