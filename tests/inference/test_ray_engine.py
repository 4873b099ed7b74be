"""Workers of Ray make what one process makes, whatever becomes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from amsunet.data.images import write_image
from amsunet.data.masks import MaskConvention
from amsunet.data.preprocessing import Preprocessing
from amsunet.errors import InputError
from amsunet.inference.inputs import find_inputs
from amsunet.inference.model_file import save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.outcome import FAILURES, REVIEW_LIST
from amsunet.inference.predict_files import predict, predict_files
from amsunet.inference.prediction_options import PredictionOptions
from amsunet.inference.prediction_plan import Planner
from amsunet.inference.prediction_record import RECORD, PredictionRecord
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.ray_engine import RayEngine, Work, _passes
from amsunet.inference.ray_worker import Reply, Setup, Worker
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.inference.sliding_window import Tiling
from amsunet.models import code_checksum, create_model
from amsunet.ray_cluster import connected

fsspec = pytest.importorskip("fsspec", reason='needs fsspec: pip install "amsunet[cluster]"')
pytest.importorskip("ray", reason='needs Ray: pip install "amsunet[cluster]"')
pytest.importorskip("ray.data", reason='needs Ray Data: pip install "amsunet[cluster]"')

ONE, TWO = RayEngine(workers=1), RayEngine(workers=2)
"""Each worker takes seconds to start: two where it matters that there is another."""
EXACT = RuntimeOptions(device="cpu", precision="float32")
NETWORK = """
import os
import signal
from pathlib import Path

import torch

class Fatal(torch.nn.Conv2d):
    \"\"\"A wide image ends the process: the first time, or always where a file says so.\"\"\"

    def forward(self, x):
        marker = Path(FOLDER) / "died"
        if x.shape[-1] > 64 and not marker.exists():
            if not marker.with_name("always").exists():
                marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)

def build(in_channels, num_classes):
    return Fatal(in_channels, num_classes, 1)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """The folder of ``bucket://``, a store that fsspec finds in every process, as one that is installed."""
    folder = tmp_path_factory.mktemp("store")
    installed = folder / "site" / "bucket-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: bucket\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[fsspec.specs]\nbucket = bucket:Bucket\n")
    return folder


@pytest.fixture(scope="module")
def cluster(store) -> Iterator[None]:
    """Two processors of Ray for all tests, as a host has them that started Ray itself."""
    paths = [os.environ.get("PYTHONPATH", ""), str(store / "site"), str(Path(__file__).parent)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        patch.setenv("BUCKET", str(store / "objects"))
        fsspec.register_implementation("bucket", "bucket.Bucket", clobber=True)
        with connected(processors=2):
            yield


@pytest.fixture
def fatal(tmp_path) -> Callable[[], Predictor]:
    """A network that ends the process it runs in where an image is wide."""

    def make() -> Predictor:
        (tmp_path / "net").mkdir()
        (tmp_path / "net" / "fatal.py").write_text(f"FOLDER = {str(tmp_path / 'net')!r}\n{NETWORK}")
        model = f"{tmp_path / 'net' / 'fatal.py'}:build"
        arguments = {"in_channels": 1, "num_classes": 2}
        torch.manual_seed(0)
        description = ModelDescription(
            model=model,
            arguments=arguments,
            preprocessing=Preprocessing(in_channels=1, normalization="depth", scale=1.0, mean=(0.5,), std=(0.2,)),
            convention=MaskConvention(kind="values", values=(0, 255), class_names=("background", "foreground")),
            code=code_checksum(model),
        )
        save_model(tmp_path / "net" / FILE_NAME, create_model(model, **arguments), description)
        return load(tmp_path / "net", EXACT, model_file=model)

    return make


@pytest.fixture
def many(tmp_path, picture) -> Path:
    """24 images, of which one is wide."""
    for number in range(24):
        write_image(tmp_path / "in" / f"{number:02}.png", picture(24, 96 if number == 13 else 32, seed=number))
    return tmp_path / "in"


def _made(out: Path) -> dict[str, bytes]:
    """All files but the record and its lock, by name."""
    found = {str(path.relative_to(out)): path for path in out.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if "predictions." not in name}


def _recorded(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / RECORD).read_text().splitlines()]
    return [line for line in lines if "begun" not in line]


def test_two_workers_make_what_one_process_makes(cluster, images, tmp_path, make_run, monkeypatch):
    """Masks, overlays and lists to the byte, with a broken image and names relative to a folder."""
    (images[0] / "broken.png").write_bytes((images[0] / "a.png").read_bytes()[:60])
    monkeypatch.chdir(tmp_path)
    run = make_run(uncertainty_limit=0.0)
    options = {"overlay": True, "probability": True}
    one = predict(load(run, EXACT), "images", "one", **options)
    two = predict(load(run, EXACT), "images", "two", engine=TWO, **options)
    assert (two.written, two.failures, two.sizes) == (one.written, one.failures, one.sizes) and one.written == 5
    assert [item.image for item in two.review] == [item.image for item in one.review] and two.review
    made, wanted = _made(Path("two")), _made(Path("one"))
    assert {FAILURES, REVIEW_LIST, "sub/d.png", "overlays/a.png", "probabilities/a.png"} <= set(made)
    assert made.keys() == wanted.keys()
    for name, content in wanted.items():
        if not name.startswith("probabilities/"):
            assert made[name] == content, name
            continue
        pair = [np.asarray(Image.open(folder / name), np.int64) for folder in (Path("one"), Path("two"))]
        assert np.abs(pair[0] - pair[1]).max() <= 1, "which images share a batch shows in the last bit at the most"
    known = [{line["name"]: line for line in _recorded(Path(out))} for out in ("one", "two")]
    sure = [{name: line.pop("uncertainty", 0) for name, line in lines.items()} for lines in known]
    for line in (line for lines in known for line in lines.values()):
        sizes = line.get("outputs", {})  # of probabilities with that last bit too
        line["outputs"] = {name: size for name, size in sizes.items() if not name.startswith("probabilities/")}
    assert known[0] == known[1]
    assert sure[0] == pytest.approx(sure[1], abs=1e-6)  # which images share a batch shows in the tenth digit


def test_it_goes_on_with_what_is_not_in_the_record_and_a_worker_that_is_killed_costs_nothing(
    cluster, many, tmp_path, fatal
):
    """Whoever wrote the record."""
    predictor, out, inputs = fatal(), tmp_path / "out", find_inputs([str(many)])
    asked = PredictionOptions(also="labels,coco")
    first = predict_files(predictor, inputs[:10], out, asked)
    times = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    outcome = predict_files(predictor, inputs, out, replace(asked, resume=True), engine=TWO)
    assert (tmp_path / "net" / "died").exists(), "no worker was killed: nothing was tested"
    assert (first.written, outcome.written, outcome.passed_over, outcome.failures) == (10, 14, 10, {})
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert sorted(line["name"] for line in _recorded(out)) == [f"{number:02}" for number in range(24)]
    assert len(json.loads((out / "coco.json").read_text())["images"]) == len([*out.glob("labels/*.tif")]) == 24
    predict_files(predictor, inputs, tmp_path / "unbroken", asked)
    made, wanted = _made(out), _made(tmp_path / "unbroken")
    assert made.keys() == wanted.keys()
    masks = [name for name in wanted if name.endswith(".png")]
    assert len(masks) == 24
    for name in masks:
        pair = [np.asarray(Image.open(tmp_path / folder / name)) for folder in ("out", "unbroken")]
        assert (pair[0] != pair[1]).mean() < 1e-3, "which images share a batch shows in the last bit at the most"
    assert predict_files(predictor, inputs, out, PredictionOptions(resume=True)).passed_over == 24
    with pytest.raises(InputError, match="is there already"):
        predict_files(predictor, inputs, out, engine=TWO)


@pytest.mark.torture
def test_an_image_that_ends_every_worker_is_one_failure(cluster, many, tmp_path, fatal):
    predictor = fatal()
    (tmp_path / "net" / "always").touch()
    outcome = predict_files(predictor, find_inputs([str(many)]), tmp_path / "out", engine=TWO)
    assert outcome.written == 23
    (path, why), *others = outcome.failures.items()
    assert path == str(many / "13.png") and not others
    assert why.startswith(f"{path} ended each worker that opened it")
    assert (tmp_path / "out" / FAILURES).read_text() == f"{path}\t{why}\n"


def test_who_waits_for_a_worker_that_dies_is_no_failure():
    """What is left goes in ever smaller passes, at last each image by itself with one worker."""
    left = {f"{number:02}": Work(f"{number:02}.png", f"{number:02}", 100) for number in range(24)}
    seen = []
    for one in _passes(left, 2):
        names = [[name for _, name in json.loads(share)] for share in one.shares]
        seen.append((sum(map(len, names)), max(map(len, names)), one.workers, one.in_flight, one.retries))
        for name in {0: [f"{number:02}" for number in range(16)], 1: ["16", "17"]}.get(len(seen) - 1, []):
            del left[name]
    assert seen == [
        (24, 3, 2, None, 1), (8, 1, 2, 1, 0), (6, 1, 2, 1, 0), *[(1, 1, 1, 1, 1)] * 6
    ], "a pass of single images that got none done is the last of its kind"  # fmt: skip
    _, lonely = _passes({"a": Work("a", "a", 1)}, 2)
    assert (lonely.workers, lonely.in_flight) == (1, 1)


def test_slides_are_the_work_of_workers(cluster, tmp_path, make_run, picture, write_pyramid):
    """The mask of a pyramid to the byte, beside an image; a damaged one is one failure."""
    folder = tmp_path / "in"
    write_image(folder / "small.png", picture(40, 48))
    write_pyramid(folder / "slide.tif", picture(234, 299))
    write_pyramid(folder / "torn.tif", picture(234, 299))
    with tifffile.TiffFile(folder / "torn.tif") as tiff:
        begin = tiff.pages[0].dataoffsets[-1]
    content = bytearray((folder / "torn.tif").read_bytes())
    content[begin : begin + 40] = bytes(40)
    (folder / "torn.tif").write_bytes(content)
    predictor = Predictor(make_run(), EXACT, tiling=Tiling(tile=96, overlap=32, whole=0))
    jobs = find_inputs([str(folder)])
    one = predict_files(predictor, jobs, tmp_path / "one")
    two = predict_files(predictor, jobs, tmp_path / "two", engine=ONE)
    assert (two.written, two.failures) == (one.written, one.failures) and one.written == 2
    assert "is damaged" in one.failures[str(folder / "torn.tif")]
    assert (tmp_path / "two" / "slide.tif").read_bytes() == (tmp_path / "one" / "slide.tif").read_bytes()
    again = predict_files(predictor, jobs, tmp_path / "two", engine=ONE, options=PredictionOptions(resume=True))
    assert (again.written, again.passed_over) == (0, 2)


def test_a_store_is_read_and_written_by_workers(cluster, store, tmp_path, picture, fatal, write_pyramid):
    """One is killed half-way, and a slide is among the images; what a store lacks is one failure."""
    folder = store / "objects" / "in"
    for number in range(8):
        write_image(folder / f"{number}.png", picture(24, 96 if number == 5 else 32, seed=number))
    write_pyramid(folder / "slide.tif", picture(40, 48))
    (folder / "locked.png").write_bytes((folder / "0.png").read_bytes())
    predictor = fatal()
    made = predict(
        predictor, "bucket://in", "bucket://out/masks", engine=RayEngine(workers=2, record=tmp_path / "record")
    )
    assert (tmp_path / "net" / "died").exists(), "no worker was killed: nothing was tested"
    assert made.written == 9 and [*made.failures] == ["bucket://in/locked.png"]
    predict_files(predictor, find_inputs([str(folder)]), tmp_path / "disk")
    out = store / "objects" / "out" / "masks"
    there = {path.name for path in out.iterdir()}
    assert there == {"slide.tif", *(f"{number}.png" for number in range(8))}
    for name in there:
        pair = [np.asarray(Image.open(place / name)) for place in (out, tmp_path / "disk")]
        assert (pair[0] != pair[1]).mean() < 1e-3, "which images share a batch shows in the last bit at the most"
    again = predict(
        predictor,
        "bucket://in",
        "bucket://out/masks",
        engine=RayEngine(workers=2, record=tmp_path / "record"),
        resume=True,
    )
    assert (again.written, again.passed_over) == (0, 9)


def test_an_error_of_a_worker_ends_the_command(cluster, many, tmp_path, make_run):
    run = make_run()
    predictor = load(run, EXACT)
    (run / FILE_NAME).write_bytes(b"damaged")
    with pytest.raises(InputError, match=FILE_NAME):
        predict_files(predictor, find_inputs([str(many)]), tmp_path / "out", engine=ONE)


def test_a_worker_has_the_network_that_the_command_has(many, tmp_path, make_run):
    """Such an error is told as any other, which needs no Ray."""
    planner = Planner(load(make_run(), EXACT), PredictionRecord(tmp_path / "out"), PredictionOptions())
    worker = Worker(Setup.of(planner))
    make_run("values", (0, 255), ("background", "other"))
    (reply,) = worker({"share": [json.dumps([[str(many / "00.png"), "00"]])]})["reply"]
    with pytest.raises(InputError, match="is another network than here"):
        Reply.read(reply)


def test_the_command_starts_ray_and_leaves_nothing_behind(many, tmp_path, make_run):
    command = [sys.executable, "-m", "amsunet", "predict", str(make_run()), str(many), "--out", str(tmp_path / "out")]
    done = subprocess.run([*command, "--engine", "ray", "--workers", "1"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "1 worker of Ray, on this machine, 1 thread each" in done.stdout
    assert "24 masks in" in done.stdout
    assert not [word for word in ("ERROR", "Traceback", "Deprecat", "dashboard") if word in done.stderr], done.stderr
    assert len(_recorded(tmp_path / "out")) == 24


def test_what_cannot_be_is_refused(many, tmp_path, make_run):
    with pytest.raises(InputError, match="workers must be at least 1, not 0"):
        RayEngine(workers=0)
    with pytest.raises(InputError, match="engine 'spark' is unknown: choose process or ray"):
        predict(load(make_run()), many, tmp_path / "out", engine="spark")
