"""Images of several channels from a folder to masks, scores and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from made_device import CPU
from PIL import Image

from amsunet.data.options import DataOptions
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.explain import explain
from amsunet.evaluation.report import write_report
from amsunet.inference.inputs import find_inputs
from amsunet.inference.model_file import build_network
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.predictor import load
from amsunet.training.check import check
from amsunet.training.finetune import load_pretrained
from amsunet.training.plan_schema import Plan
from amsunet.training.run_folder import read_run
from amsunet.training.train import train


@pytest.fixture(scope="module")
def stained(tmp_path_factory, picture, disc, save) -> Path:
    """Two stains in a file each; the second shows what the mask marks."""
    folder = tmp_path_factory.mktemp("stained")
    for number in range(12):
        save(folder / "images" / f"{number:02}_noise.png", picture(number))
        shown = (picture(number + 100) // 8 + 180 * disc(number)).astype(np.uint8)
        save(folder / "images" / f"{number:02}_nuclei.png", shown)
        save(folder / "masks" / f"{number:02}.png", np.uint8(255) * disc(number))
    return folder


OPTIONS = DataOptions(channels="noise,nuclei")


@pytest.fixture(scope="module")
def trained(stained, tiny, tmp_path_factory) -> Path:
    settings = {**tiny, "epochs": 1, "deterministic": True}
    return train(stained, settings, data_options=OPTIONS, out=tmp_path_factory.mktemp("run") / "run", device=CPU).run


def test_a_run_keeps_the_channels_and_how_they_are_found(trained):
    config, data = read_run(trained)
    assert config.preprocessing.channel_names == ("noise", "nuclei") and config.plan.in_channels == 2
    assert config.preprocessing.normalization == "channels" and len(config.preprocessing.mean) == 2
    assert data.data_options.channels == ("noise", "nuclei")


def test_a_run_is_evaluated_on_images_of_the_same_channels(trained, make_dataset, tmp_path):
    own = evaluate(trained, out=tmp_path / "own")
    assert own.images and all("{noise,nuclei}" in image.sample.image.name for image in own.images)
    report = write_report(own)
    assert report.exists()
    with pytest.raises(
        InputError, match=r"00.png has one channel \(grey\), and the network takes 2 channels \(noise, nuc"
    ):
        evaluate(trained, make_dataset(4), out=tmp_path / "other")


def test_files_that_end_with_the_channels_of_the_network_are_one_image(trained, stained, tmp_path):
    predictor = load(trained)
    inputs = find_inputs([str(stained / "images")])
    assert len(inputs) == 24
    outcome = predict_files(predictor, inputs, tmp_path / "masks", PredictionOptions(overlay=True))
    assert outcome.written == 12 and not outcome.failures
    assert sorted(path.name for path in (tmp_path / "masks").glob("*.png")) == [f"{n:02}.png" for n in range(12)]
    expected = predictor.predict(stained / "images/03_{noise,nuclei}.png").mask
    assert np.array_equal(np.asarray(Image.open(tmp_path / "masks/03.png")) > 0, expected > 0)
    again = predict_files(predictor, inputs, tmp_path / "masks", PredictionOptions(overlay=True, resume=True))
    assert (again.written, again.passed_over) == (0, 12)


def test_a_file_without_its_other_channel_fails_alone(trained, stained, tmp_path, save, picture):
    for number in range(2):
        save(tmp_path / "new" / f"{number}_noise.png", picture(number))
    save(tmp_path / "new" / "1_nuclei.png", picture(5))
    outcome = predict_files(load(trained), find_inputs([str(tmp_path / "new")]), tmp_path / "masks")
    assert outcome.written == 1
    ((_, message),) = outcome.failures.items()
    assert "0_noise.png has one channel (grey), and the network takes 2 channels (noise, nuclei)" in str(message)


def test_slices_are_predicted_one_by_one_where_axes_are_set(trained, tmp_path, picture):
    pixels = np.stack([np.stack([picture(10 * z + c) for c in range(2)]) for z in range(3)])
    tifffile.imwrite(tmp_path / "stack.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    predictor = load(trained)
    outcome = predict_files(
        predictor, find_inputs([str(tmp_path / "stack.tif")]), tmp_path / "out", options=PredictionOptions(axes="zcyx")
    )
    assert outcome.written == 3
    for z in range(3):
        expected = predictor.predict(np.moveaxis(pixels[z], 0, 2)).mask
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"out/stack_z00{z}.png")) > 0, expected > 0)
    refused = predict_files(predictor, find_inputs([str(tmp_path / "stack.tif")]), tmp_path / "none")
    assert "holds 6 pages" in str(*refused.failures.values())


def test_the_audit_and_the_pictures_show_channels(trained, stained, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("amsunet.evaluation.explain._DPI", 30)  # pictures of 300 dots an inch take long
    checked = check(stained, {**tiny, "epochs": 1}, data_options=OPTIONS, out=tmp_path / "check", device=CPU)
    assert "2 channels (noise, nuclei)" in str(checked)
    sheet = np.asarray(Image.open(checked.sheet))
    assert sheet.ndim == 3 and len(np.unique(sheet.reshape(-1, 3), axis=0)) > 100
    assert explain(trained, stained / "images/00_{noise,nuclei}.png", tmp_path / "explained")


def test_weights_for_other_channels_are_shared_out(trained):
    plan = Plan(**{**read_run(trained)[0].plan.model_dump(), "in_channels": 4})
    network = build_network(plan.model, plan.model_arguments(2))
    line = load_pretrained(network, trained, plan, plan.model_arguments(2))
    assert "made for 2 channels, now see 4" in line
