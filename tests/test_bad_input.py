"""What users give by mistake ends in one sentence and exit code 2, and nothing is lost."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import amsunet
from amsunet import cli

SMALL = ["--crop", "32", "--batch-size", "2", "--base-channels", "4", "--device", "cpu"]
AMSUNET = ["train", "sample:nuclei", "--model", "amsunet"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command line: exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["amsunet", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        written = capsys.readouterr()
        return code, written.out, written.err

    return command


def assert_one_sentence(outcome: tuple[int, str, str], *told: str) -> None:
    code, out, err = outcome
    assert code == 2, err
    (sentence,) = (line for line in err.splitlines() if line.lower().startswith("error:"))
    assert "Traceback" not in out + err
    for text in told:
        assert re.search(text, sentence), sentence


def _png_header(side: int) -> bytes:
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    packed = (struct.pack(">I", len(b)) + t + b + struct.pack(">I", zlib.crc32(t + b)) for t, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _truncated_jpeg(path: Path) -> None:
    shutil.move(path, path.with_suffix(".jpg"))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".jpg"))
    whole = path.with_suffix(".jpg").read_bytes()
    path.with_suffix(".jpg").write_bytes(whole[: len(whole) // 2])


BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "mask of another size": (
        "masks/03.png", lambda p: Image.new("L", (9, 7)).save(p), "48 x 40 pixels, its mask .* 9 x 7: if both show"),
    "text named png": ("images/03.png", lambda p: p.write_text("no picture"), "is not an image, despite its suffix"),
    "truncated jpeg": ("images/03.png", _truncated_jpeg, r"is damaged \(.+\): copy it again"),
    "0 bytes": ("images/03.png", lambda p: p.write_bytes(b""), r"is empty \(0 bytes\): copy it again"),
    "0 bytes of mask": ("masks/03.png", lambda p: p.write_bytes(b""), r"is empty \(0 bytes\): copy it again"),
    "huge header": ("images/03.png", lambda p: p.write_bytes(_png_header(50_000)), "has 50000 x 50000 .* tiles"),
    "missing mask": ("masks/03.png", Path.unlink, "has no mask"),
    "missing image": ("images/03.png", Path.unlink, "has no image"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_train_refuses_one_broken_file_and_touches_nothing(
    kind: str, run: Run, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    file, damage, message = BROKEN[kind]
    data = make_dataset()
    damage(data / file)
    before = {path: path.read_bytes() for path in data.rglob("*.*")}
    assert_one_sentence(run("train", data, "--epochs", 1, *SMALL), r"03\.", message, "--skip-broken leaves them out")
    assert {path: path.read_bytes() for path in data.rglob("*.*")} == before
    assert not (tmp_path / "runs").exists()


def test_check_lists_every_broken_file_and_goes_on(run: Run, make_dataset: Callable[..., Path]) -> None:
    data = make_dataset(14)
    (data / "images" / "03.png").write_bytes(b"")
    (data / "images" / "04.png").write_text("no picture")
    Image.new("L", (9, 7)).save(data / "masks" / "05.png")
    (data / "masks" / "06.png").unlink()
    code, out, err = run("check", data, *SMALL)
    assert code == 1 and "Traceback" not in out + err
    for told in ("2 unreadable files", "1 sizes that differ", "1 images without a mask", "03.png", "05.png", "06.png"):
        assert told in out


@pytest.mark.parametrize("command", ["check", "train"])
class TestBothCommands:
    def test_empty_folder(self, command: str, run: Run, tmp_path: Path) -> None:
        (tmp_path / "nothing").mkdir()
        assert_one_sentence(run(command, tmp_path / "nothing"), "nothing is empty", "folder images/")

    def test_absent_folder(self, command: str, run: Run, tmp_path: Path) -> None:
        assert_one_sentence(run(command, tmp_path / "absent"), "absent does not exist: check the path")

    def test_images_without_masks(self, command: str, run: Run, make_dataset: Callable[..., Path]) -> None:
        data = make_dataset()
        shutil.rmtree(data / "masks")
        assert_one_sentence(run(command, data), "set holds 12 images but no masks", "put the masks into a folder")

    def test_wide_masks_with_three_values(self, command: str, run: Run, make_dataset: Callable[..., Path]) -> None:
        data = make_dataset()
        for path in (data / "masks").iterdir():
            mask = np.zeros((40, 48), np.uint16)
            mask[5:15, 5:15], mask[20:30, 20:40] = 1000, 40_000
            Image.fromarray(mask).save(path)
        assert_one_sentence(
            run(command, data), r"masks.00\.png", "0, 1000, 40000", "--classes 0,1000,40000 or --instances"
        )

    def test_soft_masks_of_several_classes(self, command: str, run: Run, make_dataset: Callable[..., Path]) -> None:
        data = make_dataset()
        for path in (data / "masks").iterdir():
            mask = np.array(Image.open(path))
            mask[:12, :12] = 110
            Image.fromarray(mask).filter(ImageFilter.GaussianBlur(1)).save(path)
        assert_one_sentence(run(command, data), r"masks.00\.png has soft edges .*12 of 12", "--mask-threshold 128")

    def test_a_field_of_view_in_colour(self, command: str, run: Run, make_dataset: Callable[..., Path]) -> None:
        data = make_dataset()
        for path in (data / "masks").iterdir():
            (data / "fov").mkdir(exist_ok=True)
            Image.new("RGB", (48, 40), "red").save(data / "fov" / path.name)
        assert_one_sentence(run(command, data), r"fov.00\.png marks no field of view", "0 outside, 255 inside")

    def test_empty_masks(self, command: str, run: Run, make_dataset: Callable[..., Path]) -> None:
        assert_one_sentence(run(command, make_dataset(foreground=0)), r"00\.png and all other masks are empty")

    @pytest.mark.parametrize(("option", "nearest"), [("--epoch", "--epochs"), ("--bach-size", "--batch-size")])
    def test_unknown_option(self, command: str, option: str, nearest: str, run: Run) -> None:
        assert_one_sentence(run(command, "sample:nuclei", option, 3), option, nearest)

    def test_unreadable_file(
        self, command: str, run: Run, make_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = make_dataset()

        def refuse(source: Path, *_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(source / "masks"))

        monkeypatch.setattr("amsunet.data.discovery.layout._find", refuse)
        assert_one_sentence(run(command, data), r"set.masks may not be read: change its permissions")


_AS_NOBODY = """
import json, os, sys
import psutil
from PIL import Image
from amsunet.data.dataset import open_dataset
from amsunet.errors import InputError
Image.init()
for folder, opened in json.loads(sys.argv[1]):
    if process := os.fork():
        os.waitpid(process, 0)
        continue
    os.chdir(folder)
    if os.geteuid() == 0:  # root may read everything
        os.setgroups([])
        os.setuid(65534)
    try:
        open_dataset(opened)
    except InputError as error:
        print(error, flush=True)
    os._exit(0)
"""
"""Each data set is opened in a fork of one process, which has imported everything before it becomes nobody."""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of this kind are POSIX")
def test_what_may_not_be_read_is_named(make_dataset: Callable[..., Path]) -> None:
    places = [".", "images", "masks", "images/03.png", "split.json", "manifest.csv"]
    sets = [make_dataset(4, name=f"set{number}") for number in range(len(places))]
    for data, locked in zip(sets, places, strict=True):
        (data / locked).touch()
        (data / locked).chmod(0)
    opened = [(str(data.parent), data.name) if locked == "." else (str(data), ".")
              for data, locked in zip(sets, places, strict=True)]  # fmt: skip
    sets[0].parent.chmod(0o755)
    source = Path(amsunet.__file__).parents[1]
    ended = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, json.dumps(opened)],
        env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for data, locked in zip(sets, places, strict=True):
        (data / locked).chmod(0o755)
    assert ended.returncode == 0, ended.stderr
    named = [re.escape(data.name if locked == "." else locked) for data, locked in zip(sets, places, strict=True)]
    lines = ended.stdout.splitlines()
    assert len(lines) == len(places), ended
    for name, line in zip(named, lines, strict=True):
        assert re.match(rf"{name} may not be read: change its permissions", line), line


def test_a_full_disk_while_checking_keeps_the_last_audit(
    run: Run, make_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, out = make_dataset(), tmp_path / "audit"
    assert run("check", data, "--out", out, *SMALL)[0] == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert before.keys() == {"contact-sheet.png", "check.json"}

    def fail(path: Path, *args: object, **kwargs: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    outcome = run("check", data, "--out", out, *SMALL)
    assert_one_sentence(outcome, r"check\.json could not be written \(No space left on device\): free some space")
    assert {path.name for path in out.iterdir()} == before.keys()
    assert (out / "check.json").read_bytes() == before["check.json"]


def test_a_full_disk_at_the_start_of_a_training(
    run: Run, make_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(path: Path, *args: object, **kwargs: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    outcome = run("train", make_dataset(), "--epochs", 1, "--steps-per-epoch", 2, "--out", tmp_path / "run", *SMALL)
    assert_one_sentence(outcome, r"environment\.json could not be written \(No space left on device\): free some space")
    assert not list((tmp_path / "run").iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "sample:nuclei", "--model", "amsnet", *SMALL], "did you mean 'amsunet'"),
        (
            ["check", "sample:nuclei", "--model", "unext", *SMALL],
            "unext has no setting 'base_channels'",
        ),
        (["train", "sample:nuclei", "--model-option", "mixr=pooling", *SMALL], "'mixr'; did you mean mixer"),
        (
            ["check", "sample:nuclei", "--model-option", "skip_attention=se"],
            "'skip_attention'.*as in --model amsunet",
        ),
        (["train", "sample:nuclei", "--model-option", "mixer", *SMALL], "'mixer' is not NAME=VALUE"),
        (
            [*AMSUNET, "--model-option", "mixer=pooling", "--model-option", "kernel_size=5", *SMALL],
            "kernel_size is a setting of AMS and mixer is 'pooling': leave one out",
        ),
        (["compare", "sample:nuclei", "--models", "amsunet,amsnet"], "did you mean 'amsunet'"),
        (["compare", "sample:nuclei", "--models", "unet,unet"], "named twice"),
        (["compare", "sample:nuclei", "--models", "unet", "--seed", "1"], "No such option '--seed'.*--seeds"),
        (["check", "sample:nuclei", "--seed", "-1"], "-1 is not in the range"),
        (["compare", "sample:nuclei", "--models", "unet", "--folds", "30"], "cannot be cut into 30 folds"),
        (["train", "sample:nuclei", "--folds", "30", *SMALL], "cannot be cut into 30 folds: ask for fewer"),
        (["train", "--resume", "runs/1", "--folds", "3"], "resumed with its own settings: leave --folds out"),
        (
            ["check", "sample:nuclei", "--write-manifest", "--group", "(.)"],
            "drafted from names alone: leave --group out",
        ),
        (["check", "sample:nuclei", "--write-manifest", "m.csv", "--classes", "0,1"], "leave --classes out"),
        (["ablate", "sample:nuclei", "--study", "dilations"], "choose one of dilation, kernels"),
        (["models", "check", "network.py"], "lacks its function: name it as network.py:FUNCTION"),
        (["models", "check", "network.py:build"], r"network\.py cannot be read"),
        (["explain", "absent", "image.png"], "absent.* not found"),
        (["export", "absent", "--to", "onnx"], "absent.* not found"),
        (["export", "nuclei", "--to", "onnx", "--precision", "bfloat16"], "onnx has no bfloat16"),
    ],
)
def test_networks_that_cannot_be(words: list[str], told: str, run: Run, tmp_path: Path) -> None:
    assert_one_sentence(run(*words), told)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
