"""The command line as a person meets it, on a tiny run."""

from __future__ import annotations

import gc
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import skimage
import tifffile
import torch
from PIL import Image
from safetensors.torch import load_file

from amsunet import cli
from amsunet.cli.process import importing
from amsunet.data.builtin_samples import locate
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_metadata import ModelDescription


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run the command line in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["amsunet", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        return int(end.value.code or 0), written.out, written.err

    return call


@pytest.fixture
def images(tmp_path) -> Path:
    """Four pictures of several sizes and formats, with names that people give."""
    folder = tmp_path / "new images"
    (folder / "ward 3").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in {
        "a.b.png": (33, 70),
        "ward 3/ä.jpg": (64, 64),
        "tiny.bmp": (9, 7),
        "wide.tif": (40, 200),
    }.items():
        Image.fromarray(rng.integers(0, 256, size, np.uint8)).save(folder / name)
    return folder


def test_predict_keeps_names_and_sizes(command, run, images, tmp_path):
    code, out, _ = command("predict", run, images, "--out", "masks", "--overlay", "--probability", "--objects")
    assert code == 0
    assert "4 masks in masks" in out and "images a second" in out
    for image in images.rglob("*.*"):
        name = image.relative_to(images).with_suffix(".png")
        for kind in (".", "overlays", "probabilities"):
            with Image.open(tmp_path / "masks" / kind / name) as written, Image.open(image) as original:
                assert written.size == original.size
        assert set(np.unique(np.asarray(Image.open(tmp_path / "masks" / name)))) <= {0, 255}
    assert (tmp_path / "masks" / "objects.csv").is_file()
    assert (tmp_path / "masks" / "counts.csv").read_text(encoding="utf-8-sig").count("\n") == 1 + 4


def test_predict_says_how_images_are_scaled_and_takes_another_scale(command, run, images):
    _, out, err = command("predict", run, images, "--out", "masks")
    assert re.search(r"^images are scaled by [\d.]+, as in training$", out, re.MULTILINE)
    told = "note: 3 of 4 images are of another size than the training's (128 x 128 pixels): sides of "
    assert told in out and re.search(r"in fewer pixels, set --image-scale [\d.]+$", out, re.MULTILINE)
    _, out, err = command("predict", run, images, "--out", "others", "--image-scale", "1.25")
    assert "images are scaled by 1.25, as set with --image-scale" in out and "another size" not in out + err
    code, _, err = command("predict", run, images, "--out", "none", "--image-scale", "0")
    assert code == 2 and "--image-scale must be more than 0 and at most 16, not 0" in err


def test_one_unreadable_image_does_not_stop_the_others(command, run, images, tmp_path):
    (images / "broken.png").write_text("no picture")
    code, out, err = command("predict", run, images, "--out", "masks")
    assert code == 1
    assert "4 masks" in out and "broken.png is not an image" in err and "1 of 5 failed" in err
    assert "broken.png" in (tmp_path / "masks" / "failures.txt").read_text()
    (images / "broken.png").unlink()
    assert command("predict", run, images, "--out", "masks", "--overwrite")[0] == 0
    assert not (tmp_path / "masks" / "failures.txt").exists()


def test_every_slice_of_a_file_counts_as_an_image(command, run, tmp_path):
    """Channels that no network here takes: each of two slices fails."""
    pages = np.zeros((2, 2, 40, 40), np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", pages, imagej=True, metadata={"axes": "ZCYX"})
    code, _, err = command("predict", run, tmp_path / "stack.tif", "--axes", "ZCYX", "--out", "masks")
    assert code == 1 and "stack.tif/z001 has 2 channels" in err and "2 of 2 failed" in err


def test_a_pyramid_gets_a_tiled_mask_at_the_level_asked_for(command, run, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (160, 240), np.uint8)
    settings = {"tile": (64, 64), "compression": "zlib", "photometric": "minisblack"}
    with tifffile.TiffWriter(tmp_path / "scan.tif") as tiff:
        tiff.write(image, subifds=1, **settings)
        tiff.write(image[::2, ::2], subfiletype=1, **settings)
    code, out, _ = command("predict", run, "scan.tif", "--out", "masks", "--level", "1")
    assert code == 0
    assert "scan.tif: 120 x 80 pixels, read from level 1, in 1 tile" in out and "1 masks in masks" in out
    mask = tifffile.imread(tmp_path / "masks" / "scan.tif")
    assert mask.shape == (80, 120) and set(np.unique(mask)) <= {0, 255}
    code, _, err = command("predict", run, "scan.tif", "--out", "masks")
    assert code == 2 and "scan.tif is there already" in err and "--overwrite" in err
    code, _, err = command("predict", run, "sample:nuclei", "--out", "others", "--level", "1")
    assert code == 2 and "--level is for pyramids" in err


_SLOWLY = """
import time
from amsunet import cli
from amsunet.cli.process import importing
from amsunet.inference.predictor import Predictor
compute = Predictor.compute
Predictor.compute = lambda self, images: time.sleep(1) or compute(self, images)
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.torture)])
def test_a_prediction_that_was_ended_goes_on(command, run, tmp_path, number):
    """The command itself, and not the function alone: its exit code, and the line that names the remedy."""
    image = next((locate("sample:nuclei") / "test" / "images").glob("*.png"))
    (tmp_path / "in").mkdir()
    for index in range(40):
        shutil.copy(image, tmp_path / "in" / f"{index:02}.png")
    words = "predict", run, "in", "--out", "masks", "--device", "cpu", "--overlay"
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SLOWLY, *map(str, words)], cwd=tmp_path, stdout=log, stderr=log
        )
        while process.poll() is None and not len(list((tmp_path / "masks").glob("*.png"))) > 8:
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(120) == (143 if number == signal.SIGTERM else -number)
    if number == signal.SIGTERM:
        assert "stopped; with --resume the same command goes on with what is left" in (tmp_path / "log").read_text()
    before = len(list((tmp_path / "masks").glob("*.png")))
    code, _, err = command(*words)
    assert code == 2 and "set --resume to go on with what was predicted into this folder" in err
    code, out, _ = command(*words, "--resume")
    found = re.search(r"^(\d+) masks in masks, and (\d+) that were there", out, re.MULTILINE)
    assert code == 0 and sum(map(int, found.groups())) == 40 and before - 2 <= int(found[2]) <= before < 40
    assert not list((tmp_path / "masks").rglob("*partial*"))


def test_nobody_who_reads_on_is_no_error(run, tmp_path):
    """As after ``| head``: it ends without a word, and with the code of SIGPIPE."""
    read, write = os.pipe()
    os.close(read)
    words = "predict", run, "sample:nuclei", "--out", "masks"
    done = subprocess.run(
        [sys.executable, "-m", "amsunet", *map(str, words)],
        cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_unfinished_run_says_so_when_it_predicts(command, run, tmp_path):
    shutil.copytree(run, tmp_path / "half")
    network, description = load_model(run / "model.safetensors")
    names = ("temperature", "threshold", "uncertainty_limit", "image_statistics")
    never = {name: ModelDescription.model_fields[name].default for name in names}
    save_model(tmp_path / "half" / "model.safetensors", network, description.model_copy(update=never))
    code, out, _ = command("predict", "half", "sample:nuclei", "--out", "masks")
    (line,) = [line for line in out.splitlines() if line.startswith("warning")]
    assert code == 0 and line == (
        "warning: the training of half did not come to its end, so temperature, threshold and uncertainty limit are "
        "not fitted, and no mask is listed as uncertain: amsunet train --resume half finishes it"
    )
    assert "warning" not in command("predict", run, "sample:nuclei", "--out", "others")[1]


def test_a_photograph_is_warned_about_and_still_gets_a_mask(command, run, tmp_path):
    photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
    code, _, err = command("predict", run, "sample:nuclei", photograph, "--out", "masks")
    assert code == 0
    (line,) = [line for line in err.splitlines() if "not look like" in line]
    assert line.startswith("warning: 1 of 5 images does not look like the training images (") and "chelsea.png" in line
    assert (tmp_path / "masks" / "chelsea.png").is_file()
    assert "chelsea.png" in (tmp_path / "masks" / "review.csv").read_text(encoding="utf-8").splitlines()[1]
    assert "masks are to be checked: masks/review.csv" in err


def test_what_is_there_is_not_overwritten_unasked(command, run, images, tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "tiny.png").write_bytes(b"a label drawn by hand")
    code, _, err = command("predict", run, images, "--out", "labels")
    assert code == 2 and "tiny.png is there already" in err and "--overwrite" in err
    assert (tmp_path / "labels" / "tiny.png").read_bytes() == b"a label drawn by hand"
    assert len(list((tmp_path / "labels").rglob("*.*"))) == 1


def test_masks_below_the_images_are_not_predicted_again(command, run, images):
    assert "4 masks" in command("predict", run, images, "--out", images / "masks", "--overlay")[1]
    assert "4 masks" in command("predict", run, images, "--out", images / "masks", "--overlay", "--overwrite")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere", "sample:nuclei"], "nowhere"),
        (["RUN", "nothing/*.png"], "names no image"),
        (["RUN", "sample:nuclei", "--device", "cuda:7"], "device 'cuda:7' is unknown"),
    ],
)
def test_predict_refuses_in_one_sentence(command, run, words, told):
    code, _, err = command("predict", *(str(run) if word == "RUN" else word for word in words), "--out", "masks")
    assert code == 2
    assert len(err.strip().splitlines()) == 1 and err.startswith("error: ") and told in err


@pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "data.json"])
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_evaluate_refuses_a_run_that_is_not_whole(command, run, tmp_path, damage, how):
    copy = shutil.copytree(run, tmp_path / "copy")
    if how == "missing":
        (copy / damage).unlink()
    else:
        (copy / damage).write_bytes((copy / damage).read_bytes()[:-100])
    code, _, err = command("evaluate", copy)
    assert code == 2
    assert len(err.strip().splitlines()) == 1 and err.startswith("error: ") and damage in err


def test_evaluate_prints_what_it_evaluated_and_by_which_rule(command, run):
    code, out, _ = command("evaluate", run, "--split", "val")
    assert code == 0
    assert "validation (the weights were chosen on it)" in out and "HD95 is left out and counted" in " ".join(
        out.split()
    )
    code, out, _ = command("evaluate", run)
    assert "amsunet on nuclei, test, mean over 4 images" in out


def test_training_into_a_run_is_refused(command, run):
    before = (run / "model.safetensors").read_bytes()
    code, _, err = command("train", "sample:nuclei", "--out", run)
    assert code == 2 and "holds a run already" in err
    assert (run / "model.safetensors").read_bytes() == before


def test_a_folder_of_classes_comes_back_as_folders(command, tmp_path):
    """From two folders of binary masks through training to two folders of predicted masks."""
    rng = np.random.default_rng(0)
    for number in range(6):
        image = rng.integers(0, 60, (48, 48), np.uint8)
        for label, (name, corner) in enumerate({"left": 4, "right": 26}.items(), start=1):
            mask = np.zeros((48, 48), np.uint8)
            mask[8:40, corner : corner + 16] = 255
            image[mask > 0] += np.uint8(80 * label)
            (tmp_path / "set" / "masks" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(tmp_path / "set" / "masks" / name / f"{number}.png")
        (tmp_path / "set" / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "set" / "images" / f"{number}.png")
    small = "--epochs 1 --steps-per-epoch 2 --model unet --base-channels 4 --crop 32 --device cpu"
    assert command("train", "set", "--out", "run", *small.split())[0] == 0
    assert command("predict", "run", "set/images", "--out", "out")[0] == 0
    for name in ("left", "right"):
        assert len(list((tmp_path / "out" / name).glob("*.png"))) == 6


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("unable to mmap 8 bytes from file <x>: Cannot allocate memory (12)"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("can't start new thread"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_memory_that_ran_out_is_said_and_nothing_else_is_taken_for_it(command, monkeypatch, error, said):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cli, "cli", fail)
    if not said:
        with pytest.raises(RuntimeError, match="illegal"):
            cli.main()
        return
    code, _, err = command("models")
    assert code == 2 and "memory ran out" in err


@pytest.mark.parametrize("name", ["train", "check", "compare", "ablate", "predict", "evaluate", "export"])
def test_the_remedy_for_memory_that_ran_out_is_one_that_the_command_has(name):
    flags = {flag for option in cli.cli.commands[name].params for flag in option.opts}
    named = re.findall(r"--[a-z-]+", cli._describe_less([name, "DATA"]))
    assert {*named} <= flags and bool(named) == (name != "export")


def test_a_run_is_resumed_with_its_own_settings_where_memory_ran_out():
    assert cli._describe_less(["train", "--resume", "runs/a"]) == (
        "close other programs and run the command again, or train anew with a smaller --batch-size or --crop; what was "
        "reached is kept"
    )


def test_without_a_command_the_help_is_shown(command):
    code, _, err = command()
    assert code == 2
    assert "Commands:" in err


def test_a_resumed_run_takes_no_other_settings(command, run):
    code, _, err = command("train", "--resume", run, "--minutes", 5)
    assert code == 2
    assert "resumed with its own settings: leave --minutes out" in err


def test_every_line_of_the_plan_has_an_option(command):
    from amsunet.training.plan_schema import Plan

    for name in ("check", "train"):
        listed = command(name, "--help")[1]
        missing = [
            field
            for field in Plan.model_fields
            if field not in ("in_channels", "reasons")
            and f"--{field.replace('_', '-').removesuffix('s')}" not in listed
        ]
        assert not missing


def test_models_lists_what_there_is(command, monkeypatch):
    monkeypatch.setattr("amsunet.models.list_models", lambda: ["amsunet_xs", "segnext"])
    code, out, _ = command("models")
    assert code == 0
    first, second = (line.split() for line in out.splitlines()[1:3])
    assert first[:3] == ["amsunet_xs", "398,423", "1.02"]
    assert second[:2] == ["segnext", "4,225,378"] and "all" in second and "NeurIPS" in second


def test_models_check_tells_what_is_kept_and_what_is_not(command, tmp_path):
    (tmp_path / "half.py").write_text(
        "import torch\n"
        "def build(in_channels, num_classes):\n"
        "    return torch.nn.Conv2d(in_channels, num_classes, 2, stride=2)\n"
    )
    code, out, err = command("models", "check", "half.py:build")
    assert code == 2
    assert out.startswith("BROKEN  logits") and "error: half.py:build breaks 1 promises" in err
    code, out, _ = command("models", "check", "amsunet_xs")
    assert code == 0
    assert out.count("kept") == 8


def test_ablate_sets_one_choice_against_the_others(command, tmp_path, trials_here):
    words = "--seeds 1 --epochs 1 --steps-per-epoch 2 --crop 32 --batch-size 2 --base-channels 4 --jobs 2 --device cpu"
    with trials_here():
        code, out, _ = command("ablate", "sample:nuclei", "--study", "residual", *words.split())
    assert code == 0
    folder = tmp_path / "studies" / "nuclei-residual"
    assert "AMSUnet: residual" in (folder / "comparison.html").read_text(encoding="utf-8")
    for name in ("amse", "transformer", "mscan"):
        assert re.search(rf"^{name} +0\.\d{{4}}", out, re.MULTILINE)
        assert (folder / "cells" / f"{name}-seed0" / "model.safetensors").is_file()


def test_folds_are_trained_evaluated_and_predicted_with(command, images, tmp_path):
    small = "--epochs 1 --steps-per-epoch 2 --model unet --base-channels 4 --crop 32 --batch-size 2 --device cpu"
    code, out, _ = command("train", "sample:nuclei", "--folds", 2, "--out", "both", *small.split())
    assert code == 0
    assert "2 folds of the training images" in out and "Dice of the folds: " in out and "mean over 12 images" in out
    assert command("predict", "both", images, "--out", "masks")[0] == 0
    assert command("predict", "both/fold1", images, "--out", "masks of one")[0] == 0
    shutil.rmtree(tmp_path / "both" / "fold1")
    code, _, err = command("predict", "both", images, "--out", "again")
    assert code == 2 and "amsunet train --resume both trains this one anew" in err
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(("said", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(said, expected):
    code = (
        "import os, sys\nfrom amsunet import cli\n@cli.cli.command('look')\ndef look():\n"
        "    print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)\n"
        "sys.argv = ['amsunet', 'look']\ncli.main()"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | said
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected, "False"]


def test_a_manifest_is_drafted_and_the_next_command_can_be_copied(command, make_dataset, tmp_path):
    data = make_dataset(3, name="my set")
    (data / "masks" / "01.png").unlink()
    code, out, _ = command("check", data, "--write-manifest")
    assert code == 0 and "3 images, 2 of them with a mask" in out and f"amsunet check '{data}'" in out
    assert (data / "manifest.csv").read_text().splitlines()[:3] == [
        "image,mask,group,split,roi", "images/00.png,masks/00.png,,,", "images/02.png,masks/02.png,,,",
    ]  # fmt: skip
    code, out, _ = command("check", data, "--write-manifest", "draft.csv")
    assert code == 0 and out.endswith("amsunet check draft.csv\n") and (tmp_path / "draft.csv").is_file()
    code, _, error = command("check", data, "--write-manifest")
    assert code == 2 and "exists already" in error


@pytest.mark.parametrize("name", ["scan.mha", "scan.nrrd"])
def test_a_file_of_another_world_is_named_as_what_it_is(name, command, run, tmp_path):
    (tmp_path / name).touch()
    for words in (("check", name), ("train", name), ("predict", run, name, "--out", "masks")):
        code, _, error = command(*words)
        assert code == 2 and "is not read here: save each slice" in error


def test_the_config_of_a_run_trains_the_same_network_again(command, run, tmp_path):
    """With the settings that were set then; those that were derived come out the same from the same data."""
    machine = ("--device", "cpu", "--precision", "float32")
    code, _, err = command("train", "sample:nuclei", "--config", run / "config.json", "--out", "again", *machine)
    assert code == 0, err
    first, again = (load_file(folder / "model.safetensors") for folder in (run, tmp_path / "again"))
    assert all(torch.equal(again[name], value) for name, value in first.items()) and first.keys() == again.keys()
    plans = [json.loads((folder / "config.json").read_text())["plan"] for folder in (run, tmp_path / "again")]
    assert plans[0] == plans[1]


def test_no_garbage_is_looked_for_while_much_is_imported_and_at_the_end():
    with pytest.raises(ImportError), importing():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    code = (
        "import atexit, gc, sys\nfrom amsunet.cli import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"
        "sys.argv = ['amsunet', '--version']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"
