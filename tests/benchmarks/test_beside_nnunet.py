"""What nnU-Net is given and what its masks are worth; its own training needs its own environment and is not run."""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

import beside_nnunet
import numpy as np
import pytest
from beside_nnunet import case, dice_of, memory_of, run_child, write_raw
from PIL import Image

from amsunet.data.masks import IGNORE_INDEX
from amsunet.errors import InputError
from amsunet.training.prepare import prepare


@pytest.fixture(scope="module")
def prepared():
    return prepare("sample:brain", {}, device="cpu")


def test_it_gets_the_same_images_labels_and_splits(prepared, tmp_path):
    write_raw(prepared, tmp_path / "raw")
    described = json.loads((tmp_path / "raw" / "dataset.json").read_text())
    assert list(described["labels"].values()) == [0, 1, 2] and next(iter(described["labels"])) == "background"
    [fold] = json.loads((tmp_path / "raw" / "splits_final.json").read_text())
    assert {part: len(names) for part, names in fold.items()} == {
        part: len(prepared.of(part)) for part in ("train", "val")
    }
    assert described["numTraining"] == len(fold["train"]) + len(fold["val"])
    assert {path.name for path in (tmp_path / "raw" / "imagesVal").iterdir()} == {f"{n}_0000.png" for n in fold["val"]}
    sample = prepared.of("train")[0]
    image = np.asarray(Image.open(tmp_path / "raw" / "imagesTr" / f"{case(sample)}_0000.png"))
    assert image.shape[2] == 3
    labels = np.asarray(Image.open(tmp_path / "raw" / "labelsTr" / f"{case(sample)}.png"))
    assert np.array_equal(labels, prepared.dataset.read_labels(sample))


def test_what_is_ignored_here_is_its_ignored_label(prepared, tmp_path, monkeypatch):
    read = type(prepared.dataset).read_labels

    def half(self, sample):
        labels = read(self, sample).copy()
        labels[: len(labels) // 2] = IGNORE_INDEX
        return labels

    monkeypatch.setattr(type(prepared.dataset), "read_labels", half)
    write_raw(prepared, tmp_path / "raw")
    assert json.loads((tmp_path / "raw" / "dataset.json").read_text())["labels"]["ignore"] == 3
    labels = np.asarray(Image.open(next((tmp_path / "raw" / "labelsTr").iterdir())))
    assert (labels[: len(labels) // 2] == 3).all() and labels.max() == 3


def test_the_right_masks_score_one_and_empty_ones_less(prepared, tmp_path):
    samples = prepared.of("val")
    for sample in samples:
        Image.fromarray(prepared.dataset.read_labels(sample)).save(tmp_path / f"{case(sample)}.png")
    assert dice_of(tmp_path, prepared.dataset, samples) == 1
    for sample in samples:
        Image.fromarray(np.zeros_like(prepared.dataset.read_labels(sample))).save(tmp_path / f"{case(sample)}.png")
    assert dice_of(tmp_path, prepared.dataset, samples) < 0.2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_that_of_the_process_and_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr(beside_nnunet, "_EVERY", 0.01)
    child = "x = bytearray(b'1' * 60_000_000); import time; time.sleep(0.5)"
    words = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"]
    assert 60_000_000 < run_child(words, {}, tmp_path / "log") < 200_000_000
    assert memory_of(os.getpid()) > 10_000_000


def test_a_child_that_fails_says_why(tmp_path):
    with pytest.raises(InputError, match="no such plan"):
        run_child([sys.executable, "-c", "raise SystemExit('no such plan')"], {}, tmp_path / "log")


def test_a_row_that_is_there_is_not_measured_again(tmp_path, monkeypatch, capsys):
    measured = []

    def measure(way, data, prepared, asked):
        measured.append(way)
        if way == "nnU-Net as it plans":
            raise InputError("no room")
        return {"dice": 0.5, "peak_bytes": 1}

    monkeypatch.setattr(beside_nnunet, "measure", measure)
    monkeypatch.setattr(beside_nnunet, "prepare", lambda *_, **__: SimpleNamespace())
    words = ["--nnunet", "python", "--data", "one", "--out", str(tmp_path / "out.json")]
    for _ in range(2):
        with pytest.raises(SystemExit, match="no room"):
            beside_nnunet.main(words)
    assert measured == ["amsunet", "amsunet_lite", "nnU-Net as it plans", "nnU-Net as it plans"]
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["way"] for row in rows] == ["amsunet", "amsunet_lite"]
