"""Images and masks in stores: found, fetched, predicted as on a disk, delivered, and gone on with."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amsunet.data.images import write_image
from amsunet.errors import InputError
from amsunet.inference.outcome import FAILURES, REVIEW_LIST, Outcome
from amsunet.inference.predict_files import predict, predict_files
from amsunet.inference.prediction_record import RECORD
from amsunet.inference.predictor import load
from amsunet.inference.ray_engine import RayEngine, _shares
from amsunet.inference.ray_worker import Reply, Worker
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.inference.stored_inputs import find_stored
from amsunet.inference.stores import Store, version_of

fsspec = pytest.importorskip("fsspec", reason='needs fsspec: pip install "amsunet[cluster]"')
EXACT = RuntimeOptions(device="cpu", precision="float32")


class Here(RayEngine):
    """Does in this process what workers do."""

    def run(self, setup, works, results, *, on_gpu):
        worker = Worker(setup)
        results.begin([one.name for one in works])
        for share in _shares(works, 2):
            for reply in worker({"share": [share]})["reply"]:
                for prediction in Reply.read(reply).predictions:
                    results.take(prediction)


@pytest.fixture
def bucket(tmp_path, monkeypatch) -> Iterator[Callable[[str], Path]]:
    """The folder that a store keeps its objects in, by the names of buckets."""
    from bucket import Bucket

    monkeypatch.setenv("BUCKET", str(tmp_path / "store"))
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    return lambda name: tmp_path / "store" / name


@pytest.fixture
def filled(bucket, picture) -> Callable[[str], Path]:
    """Three images of the bucket ``in``, of which one is in a folder, with what is no image."""
    for seed, name in enumerate(("a", "b", "sub/c")):
        write_image(bucket("in") / "set" / f"{name}.png", picture(32, 40, seed=seed))
    (bucket("in") / "set" / "notes.md").write_text("no image")
    (bucket("in") / "set" / ".hidden.png").write_text("no image")
    return bucket


def _names(found) -> dict[str, str]:
    return {one.name: one.place for one in found}


def _predict(model, tmp_path: Path, place: str = "bucket://in/set", out: str = "bucket://out/masks", **more) -> Outcome:
    record = tmp_path / "record" if ":" in out else None
    return predict(load(model, EXACT), place, out, engine=Here(record=record), **more)


def test_images_of_a_store_are_found_as_on_a_disk(filled, said, tmp_path, picture):
    every = {"a": "bucket://in/set/a.png", "b": "bucket://in/set/b.png", "sub/c": "bucket://in/set/sub/c.png"}
    assert _names(find_stored(["bucket://in/set"], "bucket://out")) == every
    assert _names(find_stored(["bucket://in/set/"], "bucket://out")) == every
    assert any("2 of 5 objects are no images by their names" in line for line in said)
    assert _names(find_stored(["bucket://in/set/[ab].png"], "bucket://out")) == {"a": every["a"], "b": every["b"]}
    assert _names(find_stored(["bucket://in/set/a.png", "bucket://in/set"], "x")) == every
    assert _names(find_stored(["bucket://in/set"], "bucket://in/set/sub")).keys() == {"a", "b"}
    write_image(filled("in") / "set" / "b.tif", picture(32, 40))
    assert {"b.png", "b.tif"} < _names(find_stored(["bucket://in/set"], "bucket://out")).keys()
    write_image(tmp_path / "disk" / "z.png", picture(32, 40))
    both = _names(find_stored(["bucket://in/set/a.png", str(tmp_path / "disk")], "bucket://out"))
    assert both == {"a": every["a"], "z": str(tmp_path / "disk" / "z.png")}
    for place in ("bucket://in/none", "bucket://none", "bucket://in/set/*.jpg"):
        with pytest.raises(InputError, match=r"names no image: check the address"):
            find_stored([place], "bucket://out")


def test_masks_beside_images_are_left_out(bucket, picture):
    for name in ("images/a", "images/b", "masks/a"):
        write_image(bucket("in") / f"{name}.png", picture(32, 40))
    assert _names(find_stored(["bucket://in"], "bucket://out")).keys() == {"images/a", "images/b"}


def test_a_store_gets_what_a_folder_gets(filled, tmp_path, make_run):
    """Masks, overlays and other forms to the byte, lists and record with addresses; nothing is left on the disk."""
    run = make_run(uncertainty_limit=0.0)
    (filled("in") / "set" / "broken.png").write_bytes((filled("in") / "set" / "a.png").read_bytes()[:60])
    (filled("in") / "set" / "locked.png").write_bytes((filled("in") / "set" / "a.png").read_bytes())
    also = ("labels", "coco", "objects", "counts")
    wanted = predict(load(run, EXACT), filled("in") / "set", tmp_path / "disk", overlay=True, also=also)
    made = _predict(run, tmp_path, overlay=True, also=also)
    files, there = (
        {
            path.relative_to(root).as_posix()
            for path in root.rglob("*.*")
            if path.suffix == ".png" or path.relative_to(root).parts[0] in also
        }
        for root in (tmp_path / "disk", filled("out") / "masks")
    )
    assert {"sub/c.png", "overlays/a.png", "coco/sub/c.json", "locked.png"} <= files and there == {
        name for name in files if "locked" not in name
    }
    for name in there:
        assert (filled("out") / "masks" / name).read_bytes() == (tmp_path / "disk" / name).read_bytes(), name
    assert made.written == wanted.written - 1 == 3
    assert made.failures.keys() == {"bucket://in/set/broken.png", "bucket://in/set/locked.png"}
    assert "Access Denied" in made.failures["bucket://in/set/locked.png"]
    assert "amsunet-" not in str(made.failures), "the temporary file is nobody's business"
    assert {path.name for path in (tmp_path / "record").iterdir()} >= {RECORD, REVIEW_LIST, FAILURES}
    assert sorted(one.image for one in made.review) == [f"bucket://in/set/{name}.png" for name in ("a", "b", "sub/c")]
    assert "bucket://in/set/a.png" in (tmp_path / "record" / REVIEW_LIST).read_text()


def test_masks_of_a_store_may_go_to_a_disk_and_back(filled, tmp_path, make_run):
    run = make_run()
    assert _predict(run, tmp_path, out=str(tmp_path / "masks")).written == 3
    assert (tmp_path / "masks" / "sub" / "c.png").is_file() and (tmp_path / "masks" / RECORD).is_file()
    assert _predict(run, tmp_path, place=str(filled("in") / "set" / "a.png")).written == 1
    assert (filled("out") / "masks" / "a.png").read_bytes() == (tmp_path / "masks" / "a.png").read_bytes()


def test_resume_makes_what_is_missing_or_has_changed(filled, tmp_path, make_run, picture):
    run = make_run()
    assert _predict(run, tmp_path).written == 3
    with pytest.raises(InputError, match=r"bucket://out/masks/a.png is there already: set resume=True"):
        _predict(run, tmp_path)
    again = _predict(run, tmp_path, resume=True)
    assert (again.written, again.passed_over) == (0, 3)
    write_image(filled("in") / "set" / "a.png", picture(32, 40, seed=9))
    (filled("out") / "masks" / "b.png").unlink()
    again = _predict(run, tmp_path, resume=True)
    assert (again.written, again.passed_over) == (2, 1)
    other = make_run("values", (0, 128))
    assert _predict(other, tmp_path, resume=True).written == 3, "masks of another network are made anew"
    write_image(filled("in") / "set" / "a.png", picture(32, 40, seed=8))
    (filled("out") / "masks" / "a.png").write_bytes(b"changed by somebody")
    with pytest.raises(InputError, match=r"masks/a.png is there already"):
        _predict(other, tmp_path, resume=True)
    assert _predict(other, tmp_path, resume=True, overwrite=True).written == 1
    (filled("out") / "masks" / "d.png").write_bytes(b"of somebody")
    write_image(filled("in") / "set" / "d.png", picture(32, 40))
    with pytest.raises(InputError, match=r"d.png is there already"):
        _predict(other, tmp_path, resume=True)
    assert _predict(other, tmp_path, resume=True, overwrite=True).written == 1


def test_failures_of_other_images_of_a_store_stay_listed(filled, tmp_path, make_run):
    run = make_run()
    (filled("in") / "set" / "broken.png").write_bytes(b"no image")
    _predict(run, tmp_path, "bucket://in/set/broken.png")
    _predict(run, tmp_path, "bucket://in/set/a.png")
    assert (tmp_path / "record" / FAILURES).read_text().startswith("bucket://in/set/broken.png\t")


def test_nothing_is_replaced_unasked(filled, tmp_path, make_run):
    run = make_run()
    with pytest.raises(InputError, match=r"would take the place of bucket://in/set/a.png"):
        _predict(run, tmp_path, "bucket://in/set/a.png", "bucket://in/set", overwrite=True)
    with pytest.raises(InputError, match=r"bucket://readonly/a.png cannot be written .Access Denied"):
        _predict(run, tmp_path, "bucket://in/set/a.png", "bucket://readonly")
    (filled("in") / "set" / "a.png").rename(filled("in") / "set" / "sub" / "c.tif")
    assert _predict(run, tmp_path).written == 3


def test_what_cannot_be_is_refused(filled, tmp_path, make_run, picture, write_pyramid):
    run = load(make_run(), EXACT)
    with pytest.raises(InputError, match=r"in which the record and the lists cannot grow.*with record"):
        predict(run, "bucket://in/set", "bucket://out", engine=Here())
    with pytest.raises(InputError, match=r"record bucket://out is not on a disk"):
        predict(run, "bucket://in/set", "bucket://out", engine=Here(record="bucket://out"))
    with pytest.raises(InputError, match=r"record is for masks that go to a store: leave it out"):
        predict(run, "bucket://in/set", tmp_path / "out", engine=Here(record=tmp_path))
    with pytest.raises(InputError, match=r"is not on a disk.*engine='ray' read and write stores"):
        predict(run, "bucket://in/set", tmp_path / "out")
    with pytest.raises(InputError, match=r"bucket:/in names no object and no folder: write it as text"):
        predict(run, Path("bucket://in"), tmp_path / "out", engine=Here())
    with pytest.raises(InputError, match=r"bucket:// names no object and no folder"):
        predict(run, "bucket://in/set", "bucket://", engine=Here(record=tmp_path / "record"))
    write_pyramid(filled("in") / "set" / "slide.tif", picture(40, 48))
    with pytest.raises(InputError, match=r"bucket://in/set/slide.tif is too large for overlay and probability"):
        predict(run, "bucket://in/set", tmp_path / "begun", engine=Here(), overlay=True)
    with pytest.raises(InputError, match=r"nowhere://in cannot be opened \(Protocol not known: nowhere"):
        predict(run, "nowhere://in", tmp_path / "out", engine=Here())
    (tmp_path / "list.txt").write_text("bucket://in/set/a.png\n")
    with pytest.raises(InputError, match=r"list.txt: bucket://in/set/a.png is not on a disk"):
        predict(run, tmp_path / "list.txt", tmp_path / "out", engine=Here())
    assert not (tmp_path / "out").exists()


def test_a_package_that_a_store_needs_is_named(monkeypatch):
    known = {"class": "no_such_package.Files", "err": "Install no_such_package to access it"}
    monkeypatch.setitem(importlib.import_module("fsspec.registry").known_implementations, "missing", known)
    with pytest.raises(InputError, match=r"missing://b cannot be opened .*: pip install no_such_package, on each mach"):
        Store("missing://b")


def test_an_address_of_a_file_is_a_path(images, tmp_path, make_run):
    (tmp_path / "with space").mkdir()
    (images[0] / "a.png").rename(tmp_path / "with space" / "a.png")
    outcome = predict(load(make_run(), EXACT), (tmp_path / "with space" / "a.png").as_uri(), tmp_path.as_uri() + "/out")
    assert outcome.written == 1 and (tmp_path / "out" / "a.png").is_file()
    with pytest.raises(InputError, match="is not on a disk"):
        predict_files(None, [], Path("s3://bucket/x"))


def test_objects_in_memory_have_versions(tmp_path):
    """Of fsspec's own store, which says when an object was made."""
    files = fsspec.filesystem("memory")
    files.pipe_file("/versions/a.png", b"one")
    (one,) = Store("memory://versions/a.png").find().values()
    files.pipe_file("/versions/a.png", b"two")
    (two,) = Store("memory://versions/a.png").find().values()
    assert version_of(one) and version_of(two) and version_of(one) != version_of(two)
    assert version_of({"name": "x", "size": 3}) is None
    Store("memory://versions/a.png").fetch(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"two"
    files.rm("/versions", recursive=True)
