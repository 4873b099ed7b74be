"""Evaluating a run: what it looks at, what it leaves, what it writes."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from made_device import CPU
from PIL import Image

from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.options import DataOptions, MaskOptions
from amsunet.errors import InputError
from amsunet.evaluation import samples
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.evaluation import evaluation_folder
from amsunet.evaluation.metrics import EMPTY_RULE, METRICS
from amsunet.evaluation.report import write_report
from amsunet.inference import model_file as loader
from amsunet.inference.ensemble import fold_folder, read_folds
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import load
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.train import resume, train

EXACT = RuntimeOptions(device="cpu", precision="float32")


@pytest.fixture(scope="module")
def evaluated(run):
    """On its test images."""
    return evaluate(run)


def test_evaluation_and_report_load_the_network_once(run, monkeypatch):
    loaded, real = [], loader.load_model
    monkeypatch.setattr(loader, "load_model", lambda *given: loaded.append(given) or real(*given))
    html = write_report(evaluate(run)).read_text()
    assert len(loaded) == 1 and "Worst" in html


def test_the_test_split_is_evaluated_and_written(run):
    evaluation = evaluate(run)
    assert evaluation.split == "test"
    assert sorted(image.sample.name for image in evaluation.images) == [
        "nuclei_y000_x384",
        "nuclei_y128_x384",
        "nuclei_y256_x384",
        "nuclei_y384_x384",
    ]
    with (run / "evaluation" / "test" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    mean = sum(float(row["dice"]) for row in rows) / len(rows)
    summary = json.loads((run / "evaluation" / "test" / "summary.json").read_text())
    assert summary["mean_over_classes"]["dice"]["mean"] == pytest.approx(mean)
    assert set(METRICS) <= set(summary["classes"]["foreground"])
    assert EMPTY_RULE in evaluation.table()


def test_a_run_that_may_not_be_written_to_is_evaluated_elsewhere_and_predicts(whole, tmp_path, monkeypatch):
    kept = shutil.copytree(whole.run, tmp_path / "kept")
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    write = os.open

    def refuse(path, flags, *others, **named):
        if flags & (os.O_WRONLY | os.O_RDWR) and Path(os.fspath(path)).is_relative_to(kept):
            raise OSError(errno.EROFS, "Read-only file system")
        return write(path, flags, *others, **named)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match=r"kept/.* \(Read-only file system\): choose a folder .* with out"):
        evaluate(kept)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".0123456789ab.partial.csv").touch()  # of one that was killed
    evaluation = evaluate(kept, out=tmp_path / "out")
    assert write_report(evaluation) == tmp_path / "out" / "report.html"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"images.csv", "summary.json", "report.html"}
    with pytest.raises(InputError, match="copy the run folder to a place that you may write to"):
        resume(kept)
    load(kept).predict(np.zeros((40, 40), np.uint8))
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_another_scale_is_evaluated_beside_the_networks_own(run):
    at_its_own = evaluate(run).interval("dice").mean
    at_half = evaluate(run, options=RuntimeOptions(image_scale=0.5))
    assert at_half.interval("dice").mean != at_its_own
    assert at_half.notes[-1] == "images are scaled by 0.5, as set with image_scale"
    folders = {name: run / "evaluation" / name / "summary.json" for name in ("test", "test_scale0.5")}
    found = {name: json.loads(path.read_text()) for name, path in folders.items()}
    assert found["test"]["mean_over_classes"]["dice"]["mean"] == pytest.approx(at_its_own)
    assert found["test"]["image_scale"] is None and found["test_scale0.5"]["image_scale"] == 0.5


def test_the_polarity_that_is_said_is_evaluated_beside_what_the_network_finds_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / "dark" / folder).mkdir(parents=True)
    nuclei = open_dataset(locate("sample:nuclei"))
    for sample in nuclei.samples[:2]:
        image, labels = nuclei.read(sample)
        Image.fromarray(255 - image[..., 0]).save(tmp_path / "dark" / "images" / f"{sample.name}.png")
        Image.fromarray(np.uint8(255) * (labels == 1)).save(tmp_path / "dark" / "masks" / f"{sample.name}.png")
    found = {
        polarity: evaluate("zoo:nuclei", tmp_path / "dark", options=replace(EXACT, polarity=polarity))
        for polarity in ("auto", "dark-on-bright", "bright-on-dark")
    }
    dice = {polarity: evaluation.interval("dice").mean for polarity, evaluation in found.items()}
    assert dice["auto"] == dice["dark-on-bright"] > 0.8 and dice["bright-on-dark"] < 0.4
    folders = {evaluation_folder(evaluation): evaluation for evaluation in found.values()}
    assert len(folders) == 3
    for folder, evaluation in folders.items():
        assert json.loads((folder / "summary.json").read_text())["polarity"] == evaluation.polarity


def test_distances_are_in_the_unit_of_the_pixels_where_all_are_known(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    nuclei = open_dataset(locate("sample:nuclei"))
    for sample in nuclei.samples[:2]:
        image, labels = nuclei.read(sample)
        Image.fromarray(image[..., 0]).save(tmp_path / "set" / "images" / f"{sample.name}.png")
        Image.fromarray(np.uint8(255) * (labels == 1)).save(tmp_path / "set" / "masks" / f"{sample.name}.png")
    found = {
        spacing: evaluate("zoo:nuclei", tmp_path / "set", options=replace(EXACT, spacing=spacing), out=str(spacing))
        for spacing in (None, "0.5um", "2mm")
    }
    in_pixels = found[None]
    for spacing, side, unit in (("0.5um", 0.5, "um"), ("2mm", 2, "mm")):
        hd95, nsd = (found[spacing].interval(metric).mean for metric in ("hd95", "nsd"))
        assert hd95 == pytest.approx(side * in_pixels.interval("hd95").mean)
        assert nsd == pytest.approx(in_pixels.interval("nsd").mean)
        assert f"HD95 ({unit})" in found[spacing].table() and f"NSD at {2 * side:g} {unit}" in found[spacing].table()
        summary = json.loads((tmp_path / spacing / "summary.json").read_text())
        assert (summary["unit_of_length"], summary["nsd_tolerance"]) == (unit, pytest.approx(2 * side))
        with (tmp_path / spacing / "images.csv").open(newline="") as file:
            assert {row["unit_of_length"] for row in csv.DictReader(file)} == {unit}
        assert f"HD95 ({unit})" in write_report(found[spacing]).read_text()
    assert "HD95 (pixels)" in in_pixels.table() and "unit_of_length" not in next(in_pixels.rows())


def test_inverted_masks_of_dense_objects_are_noticed_by_the_scores(tmp_path, monkeypatch, save):
    monkeypatch.chdir(tmp_path)
    dense = 0
    for sample in (nuclei := open_dataset(locate("sample:nuclei"))).samples:
        image, labels = nuclei.read(sample)
        shares = {(y, x): labels[y : y + 64, x : x + 64].mean() for y in range(0, 65, 16) for x in range(0, 65, 16)}
        y, x = max(shares, key=shares.__getitem__)
        if shares[y, x] < 0.35:
            continue
        dense += 1
        inside = slice(y, y + 64), slice(x, x + 64)
        save(tmp_path / "dense" / "images" / f"{sample.name}.png", image[inside][..., 0])
        save(tmp_path / "dense" / "masks" / f"{sample.name}.png", np.uint8(255) * (labels[inside] == 0))
    assert dense >= 3
    evaluation = evaluate("zoo:nuclei", tmp_path / "dense", options=EXACT)
    (finding,) = (line for line in evaluation.findings if "inverted" in line)
    assert finding.endswith("if their masks are inverted, set classes=(255, 0)")
    assert finding in evaluation.table() and finding in evaluation.summary()["findings"]
    masks = MaskOptions(classes=(255, 0))
    again = evaluate("zoo:nuclei", tmp_path / "dense", options=EXACT, data_options=DataOptions(masks=masks))
    assert again.interval("dice").mean > 0.5 and not [line for line in again.findings if "inverted" in line]


def test_uncertainty_is_that_of_what_predict_gives(run):
    evaluation, predictor = evaluate(run), load(run)
    with (run / "evaluation" / "test" / "images.csv").open(newline="") as file:
        written = {row["image"]: float(row["uncertainty"]) for row in csv.DictReader(file)}
    assert written == {
        image.sample.name: pytest.approx(predictor.predict(image.sample.image).uncertainty)
        for image in evaluation.images
    }
    summary = json.loads((run / "evaluation" / "test" / "summary.json").read_text())
    assert summary["uncertainty"]["area_by_chance"] == pytest.approx(1 - evaluation.interval("dice").mean)


def test_the_calibration_error_before_the_temperature_is_that_of_a_network_without_one(run, tmp_path):
    tempered = evaluate(run, options=EXACT)
    copy = shutil.copytree(run, tmp_path / "copy")
    network, description = load_model(copy / FILE_NAME)
    assert description.temperature != pytest.approx(1, abs=0.05), "or nothing is tested"
    save_model(copy / FILE_NAME, network, description.model_copy(update={"temperature": 1.0}))
    plain = evaluate(copy, options=EXACT)
    assert tempered.uncalibrated.error() == pytest.approx(plain.calibration.error(), abs=1e-4)
    assert plain.uncalibrated.error() == pytest.approx(plain.calibration.error(), abs=1e-6)


def test_pooled_scores_are_those_of_all_pixels(evaluated):
    tp, fp, fn = (
        sum(getattr(image.classes[0], name) for image in evaluated.images)
        for name in ("true_positives", "false_positives", "false_negatives")
    )
    assert evaluated.pooled()["iou"] == pytest.approx(tp / (tp + fp + fn))
    assert evaluated.pooled()["dice"] == pytest.approx(2 * tp / (2 * tp + fp + fn))


def test_the_scores_are_those_of_what_predict_gives(run):
    evaluation = evaluate(run, split="val")
    image = evaluation.images[0]
    areas = load(run).predict(image.sample.image).areas()
    assert areas["foreground"] == image.classes[0].true_positives + image.classes[0].false_positives


def test_on_foreign_data_what_was_trained_on_is_left_out(run, evaluated, tmp_path):
    for image in evaluated.images:
        for kind, path in (("images", image.sample.image), ("masks", *image.sample.masks.values())):
            (tmp_path / kind).mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / kind)
    foreign = evaluate(run, tmp_path)
    assert foreign.split == "all"
    assert sorted(image.dice for image in foreign.images) == pytest.approx(sorted(i.dice for i in evaluated.images))
    trained = evaluate(run, split="val").images[0].sample
    shutil.copy(trained.image, tmp_path / "images")
    shutil.copy(*trained.masks.values(), tmp_path / "masks")
    again = evaluate(run, tmp_path)
    assert len(again.images) == len(evaluated.images)
    assert "1 images are left out" in again.notes[0]


def test_how_the_masks_of_a_run_are_read_is_logged_when_it_is_trained_and_noted_after(run, monkeypatch, caplog):
    choose = samples.choose_images

    def chosen(*given):
        found = choose(*given)
        return replace(found, dataset=replace(found.dataset, mask_notes=("values number objects",)))

    monkeypatch.setattr("amsunet.evaluation.evaluate.choose_images", chosen)
    with caplog.at_level("INFO"):
        evaluation = evaluate(run)
    assert "values number objects" in evaluation.notes and "values number objects" not in caplog.text
    html = unescape(write_report(evaluation).read_text())
    assert "values number objects" in html and "pixels: background" in html


@pytest.mark.parametrize("marked", [4, 2])
def test_a_second_observer_is_scored_beside_the_network(run, evaluated, tmp_path, marked):
    out = tmp_path / "data"
    out.mkdir()
    for number, image in enumerate(evaluated.images):
        name = f"Image_{number:02}L"
        Image.open(image.sample.image).save(out / f"{name}.png")
        (mask,) = (np.asarray(Image.open(path)) for path in image.sample.masks.values())
        Image.fromarray(mask).save(out / f"{name}_1stHO.png")
        if number < marked:
            half = mask.copy()
            half[: len(half) // 2] = 0
            Image.fromarray(half).save(out / f"{name}_2ndHO.png")
    evaluation = evaluate(run, out)
    observed, alone = evaluation.images[:marked], evaluation.images[marked:]
    first, second = observed[0].classes[0], observed[0].observer[0]
    assert second.true_positives + second.false_negatives == first.true_positives + first.false_negatives
    assert (second.precision, second.specificity) == (1, 1) and 0 < second.sensitivity < 1
    assert np.isnan(second.auc) and np.isnan(second.average_precision)
    assert not any(image.observer for image in alone)
    theirs = np.mean([image.observer[0].dice for image in observed])
    network = np.mean([image.dice for image in observed])
    which = "all 4 images" if marked == 4 else "2 of 4 images"
    (line,) = (line for line in evaluation.table().splitlines() if line.startswith("second observer"))
    assert line.startswith(f"second observer against the reference, {which}: Dice {theirs:.4f}")
    assert f"the network on the same images: {network:.4f}" in line
    summary = json.loads((evaluation_folder(evaluation) / "summary.json").read_text())["observer"]
    assert summary["images"] == marked and summary["mean_over_classes"]["dice"]["mean"] == pytest.approx(theirs)
    assert summary["network_on_the_same_images"]["classes"]["foreground"]["dice"]["mean"] == pytest.approx(network)
    with (evaluation_folder(evaluation) / "images.csv").open(newline="") as file:
        written = [row["observer_dice"] for row in csv.DictReader(file)]
    assert [bool(one) for one in written] == [number < marked for number in range(4)]
    report = write_report(evaluation).read_text()
    section = report[report.index("<h2>A second observer") :].partition("</section>")[0]
    assert f"{theirs:.4f}" in section and f"{network:.4f}" in section and which in section
    assert "AUC" not in section and "HD95" in section


def test_without_a_second_observer_nothing_is_said_of_one(evaluated):
    assert evaluated.observer is None and evaluated.summary()["observer"] is None
    assert "second observer" not in evaluated.table() + write_report(evaluated).read_text()


def test_a_model_file_stands_for_its_run_and_alone_says_what_is_not_known(run, tmp_path, monkeypatch):
    whole = evaluate(run / FILE_NAME, options=EXACT)
    assert (whole.model.run, whole.split, len(whole.images)) == (run, "test", 4)
    monkeypatch.chdir(tmp_path)
    shutil.copy(run / FILE_NAME, "dots.safetensors")
    alone = evaluate("dots.safetensors", "sample:nuclei", options=EXACT)
    assert [image.dice for image in alone.images] == [image.dice for image in whole.images]
    assert alone.notes[0].startswith("which images the network was trained on is not known")
    assert write_report(alone).is_relative_to("evaluations/dots")
    with pytest.raises(
        InputError, match=r"dots\.safetensors comes without data: .* amsunet\.evaluate\('dots\.safetensors', DATA\)"
    ):
        evaluate("dots.safetensors")


def test_a_part_is_evaluated_of_data_that_were_read_already(run, monkeypatch, progress):
    whole = evaluate(run, split="test")
    dataset = open_dataset("sample:nuclei")
    monkeypatch.setattr(samples, "open_dataset", None)
    progress.clear()
    part = evaluate(run, dataset, split="test", most=2)
    assert [image.sample.name for image in part.images] == [image.sample.name for image in whole.images][::2]
    assert part.images[0].classes == whole.images[0].classes
    assert part.notes[-1].startswith("evaluated on 2 of 4 images, evenly spread")
    assert part.notes[-1].endswith(f": amsunet.evaluate({str(run)!r}, split='test') takes all of them")
    assert progress == [(1, 2, "image"), (2, 2, "image")]
    assert evaluate(run, dataset, split="test", most=9).notes == whole.notes


def test_data_that_changed_since_training_are_refused(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    record = json.loads((copy / "data.json").read_text())
    record["checksums"]["nuclei_y000_x384"] = "another"
    del record["sha256"]
    (copy / "data.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="no longer what the run was trained on"):
        evaluate(copy)


def test_a_folder_that_is_no_run_is_called_so(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"images is no run folder: name the folder that amsunet.train\(\) made"):
        evaluate(tmp_path / "images")


def test_masks_that_changed_since_the_training_are_told(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    assert not any("differ" in note for note in evaluate(copy).notes)
    record = json.loads((copy / "data.json").read_text())
    trained = next(name for name, split in record["splits"].items() if split == "train")
    for name in ("nuclei_y000_x384", trained):
        record["mask_checksums"][name] = "another"
    del record["sha256"]
    (copy / "data.json").write_text(json.dumps(record))
    (note,) = evaluate(copy).notes
    assert note.startswith("2 masks differ from those trained on, as ") and "(1 of them evaluated here)" in note
    del record["mask_checksums"]  # as in runs of earlier versions
    (copy / "data.json").write_text(json.dumps(record))
    assert evaluate(copy).notes == ()


def test_images_unlike_the_training_images_are_told_as_predict_does(run, tmp_path, save, disc):
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (64, 64), np.uint8)
        save(tmp_path / "odd" / "images" / f"{number}.png", noise)
        save(tmp_path / "odd" / "masks" / f"{number}.png", np.uint8(255) * disc(number, 64, 64))
    evaluation = evaluate(run, tmp_path / "odd")
    told = [image.out_of_distribution for image in evaluation.images]
    assert all(told) and told == [
        load(run).predict(image.sample.image).out_of_distribution for image in evaluation.images
    ]
    assert evaluation.findings[-1].startswith("3 of 3 images do not look like the training images (")
    assert f"warning: {evaluation.findings[-1]}" in evaluation.table()


def test_the_report_is_one_file_that_loads_nothing(evaluated):
    html = unescape(write_report(evaluated).read_text())
    assert html.count("<img") == 3
    assert html.count("data:image/jpeg;base64,") == 3
    for outside in ('src="http', 'href="http', "<script", "<link", "@import"):
        assert outside not in html
    for section in (
        "Scores",
        "Cases",
        "Training and calibration",
        "Knowing when it is wrong",
        "Data",
        "Plan",
        "Environment",
        EMPTY_RULE,
    ):
        assert section in html
    plan = html[html.index("<h2>Plan") :].partition("</section>")[0]
    assert plan.count("<tr>") > 10 and "{}" not in plan and 'small"></td>' not in plan


def test_the_runs_own_data_are_known_wherever_they_lie(make_dataset, quick, tmp_path):
    data = make_dataset(12)
    training = train(data, {"epochs": 1, **quick}, out=tmp_path / "run", device=CPU)
    data.rename(tmp_path / "moved")
    evaluation = evaluate(training.run, tmp_path / "moved")
    assert (evaluation.split, len(evaluation.images)) == ("test", 2)


def test_what_is_broken_is_left_out_in_another_place_too(make_dataset, quick, tmp_path):
    data = make_dataset(12)
    training = train(
        data, {"epochs": 1, **quick}, out=tmp_path / "run", data_options=DataOptions(group=r"(\d+)\.png"), device=CPU
    )
    data.rename(tmp_path / "moved")
    shutil.copy(tmp_path / "moved" / "images" / "00.png", tmp_path / "moved" / "images" / "alone.png")
    with pytest.raises(InputError, match=r"alone\.png has no mask"):
        evaluate(training.run, tmp_path / "moved")
    assert len(evaluate(training.run, tmp_path / "moved", data_options=DataOptions(skip_broken=True)).images) == 2


def test_no_file_of_a_run_names_a_patient_of_a_table(make_dataset, quick, tmp_path):
    data = make_dataset(12)
    lines = [f"{number:02}.png,Patient{number // 2}Miller" for number in range(12)]
    (data / "patients.csv").write_text("\n".join(["image,patient_name", *lines]))
    training = train(data, {"epochs": 1, **quick}, out=tmp_path / "run", device=CPU)
    evaluation = evaluate(training.run)
    write_report(evaluation)
    groups = {image.sample.group for image in evaluation.images}
    assert all(group.endswith("Miller") for group in groups)  # intervals are taken over them
    files = [path for path in training.run.rglob("*") if path.is_file()]
    assert not [path for path in files if b"Miller" in path.read_bytes()]
    with next(path for path in files if path.name == "images.csv").open(newline="") as file:
        named = {row["group"] for row in csv.DictReader(file)}
    assert len(named) == len(groups) and named <= {image.sample.name for image in evaluation.images}


def test_an_ensemble_is_cross_validated_on_what_it_was_trained_on(ensemble, tmp_path):
    run = shutil.copytree(ensemble, tmp_path / "run")
    evaluation, folds = evaluate(run, split="val"), read_folds(run)
    assert {image.sample.name for image in evaluation.images} == folds.fold_of.keys()
    for image in evaluation.images:
        alone = load(fold_folder(run, folds.fold_of[image.sample.name])).predict(image.sample.image)
        foreground = int((alone.probability[1] > folds.threshold).sum())
        assert foreground == image.classes[0].true_positives + image.classes[0].false_positives
    dice = [image.dice for image in evaluation.images if folds.fold_of[image.sample.name] == 0]
    assert f"Dice of the folds: {sum(dice) / len(dice):.4f}, " in evaluation.notes[-1]
    html = unescape(write_report(evaluation).read_text())
    assert "Trained on 12 images in 3 folds" in html and evaluation.notes[-1] in html


def test_an_ensemble_is_evaluated_on_test_images_together(ensemble, tmp_path):
    run = shutil.copytree(ensemble, tmp_path / "run")
    evaluation = evaluate(run)
    assert (evaluation.split, len(evaluation.images)) == ("test", 4)
    assert evaluation.notes == ("the probabilities of 3 networks, one for each fold, are averaged",)
    image = evaluation.images[0]
    found = load(run).predict(image.sample.image).areas()["foreground"]
    assert found == image.classes[0].true_positives + image.classes[0].false_positives
    data = shutil.copytree(locate("sample:nuclei") / "train", tmp_path / "foreign")
    with pytest.raises(InputError, match="holds only images that the run, or what it started from, was trained on"):
        evaluate(run, data)


@pytest.mark.parametrize(
    ("name", "runtime", "message"),
    [
        ("network.onnx", None, r"network\.onnx is exported and networks are evaluated in torch: name a run"),
        ("zoo:nuclei", "onnx", "networks are evaluated in torch: leave runtime out"),
    ],
)
def test_networks_in_another_runtime_are_not_evaluated(name, runtime, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.onnx").touch()
    with pytest.raises(InputError, match=message):
        evaluate(name, "sample:nuclei", options=RuntimeOptions(runtime=runtime))
