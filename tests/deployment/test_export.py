"""Exported files: they compute what the run computes, carry what is needed, and are refused where they lose."""

from __future__ import annotations

import errno
import functools
import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
from made_networks import NETWORKS, small
from PIL import Image

from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.masks import IGNORE_INDEX
from amsunet.data.masks.kinds import values_convention
from amsunet.data.preprocessing import Preprocessing
from amsunet.deployment import export as module
from amsunet.deployment import exporters
from amsunet.deployment.export import export, find_images
from amsunet.deployment.exporters import PRECISIONS, ExportModule, missing_package, write_network
from amsunet.deployment.parity import prepare_images
from amsunet.errors import InputError
from amsunet.inference.export_checksum import append_checksum, verify_checksum
from amsunet.inference.model_file import for_inference, load_model, save_model
from amsunet.inference.model_metadata import METADATA, ModelDescription
from amsunet.inference.model_ref import ALL_SUFFIXES, FILE_NAME
from amsunet.inference.onnx_metadata import MACS, read_onnx_metadata
from amsunet.inference.predictor import load
from amsunet.inference.runtime import open_runtime
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.models import create_model
from amsunet.models.cost import count_macs
from amsunet.optional import install_command

_HAS_EXTRA = all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnxscript", "openvino", "nncf"))
needs_extra = pytest.mark.skipif(not _HAS_EXTRA, reason='needs pip install "amsunet[export]"')
_FORMATS = [
    pytest.param(to, marks=pytest.mark.skipif(missing_package(to) is not None, reason=f"needs {missing_package(to)}"))
    for to in PRECISIONS
]
_FAST = "onnx" if _HAS_EXTRA else "pt2"
"""What is soon opened, for what is not about a format."""
_OF_ANOTHER_SIZE = ("amsunet_lite_xs", "amsunet_lite_m")
"""Of the blocks of amsunet_lite."""
_FEWER_STAGES = {"unext": {"widths": (8, 8, 16, 16)}}
"""Of networks whose stages are captured the longer the deeper they lie."""
_EXAMPLE = Path(__file__).parents[2] / "examples" / "predict_onnx.py"


@pytest.fixture(scope="module")
def exported(whole, captured_once, tmp_path_factory):
    """Every format and precision of one run, made once, but for torch's bfloat16, which is captured by itself; eight
    bits may lose all here, as nothing was learnt.
    """
    folder = tmp_path_factory.mktemp("exports")
    capture, captures = exporters._capture, dict[tuple[type, int | None], Any]()

    def capture_once(whole: ExportModule, largest_side: int | None = None) -> Any:
        kind = type(whole.network), largest_side  # in float32, or in bfloat16
        if kind not in captures:
            captures[kind] = capture(whole, largest_side)
        return captures[kind]

    with pytest.MonkeyPatch.context() as patch, captured_once():
        patch.setattr(exporters, "_capture", capture_once)
        patch.setattr(module, "MAY_LOSE", 1.0)
        patch.setattr(module, "_FINDS_NOTHING", 0.0)
        return {
            (to, precision): export(whole.run, to, precision=precision, out=folder / f"{precision}{ALL_SUFFIXES[to]}")
            for to, precisions in PRECISIONS.items()
            for precision in precisions
            if missing_package(to) is None and (to, precision) != ("pt2", "bfloat16")
        }


@pytest.fixture(scope="module")
def opened(exported):
    """They are opened once too."""
    return functools.cache(lambda to, precision: open_runtime(exported[to, precision].path))


_PRESSED = """
import signal
import sys
from pathlib import Path
from amsunet.inference.runtime import open_runtime

network = open_runtime(path := Path(sys.argv[1]))
network = open_runtime(path)  # the first is closed when the second is there
del network
signal.signal(signal.SIGINT, lambda *_: print("saved"))
signal.raise_signal(signal.SIGINT)
"""


def test_ctrl_c_is_heard_after_networks_of_openvino_were_closed(exported):
    path = exported["openvino", "float32"].path
    done = subprocess.run([sys.executable, "-c", _PRESSED, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "saved\n"), done.stderr


@pytest.fixture
def copies_written(exported, monkeypatch):
    """Whatever a run is exported to is a copy of what ``exported`` wrote in float32, for what is not about writing."""

    def copy(whole: ExportModule, path: Path, to: str, *_: Any, **__: Any) -> None:
        made = exported[to, "float32"].path
        for suffix in {path.suffix, ".bin"} if to == "openvino" else {path.suffix}:
            copyfile(made.with_suffix(suffix), path.with_suffix(suffix))

    monkeypatch.setattr(module, "write_network", copy)


@needs_extra
@pytest.mark.parametrize("to", _FORMATS)
def test_float32_is_exact(exported, to):
    parity = exported[to, "float32"].parity
    assert parity.images == 2
    assert parity.largest_difference < 1e-4
    assert parity.dice == pytest.approx(parity.dice_of_torch, abs=1e-4)


@needs_extra
@pytest.mark.parametrize("to", _FORMATS)
def test_every_size_and_batch_goes_through(opened, whole, to):
    runtime = opened(to, "float32")
    network, known = load_model(whole.run / FILE_NAME)
    exact = for_inference(network, known.temperature)
    whole_network = ExportModule(exact, known.preprocessing.mean, known.preprocessing.std)
    rng = np.random.default_rng(0)
    for shape in ((1, 1, 32, 32), (3, 1, 33, 47), (2, 1, 128, 70)):
        images = (rng.random(shape) * 255).astype(np.float32)
        together = runtime(images)
        with torch.no_grad():
            expected = whole_network(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(together, expected, atol=1e-4, rtol=1e-3)
        np.testing.assert_allclose(runtime(images[:1]), together[:1], atol=1e-4)


@needs_extra
def test_every_precision_is_written_with_its_description_and_parity(exported, opened):
    for (to, precision), made in exported.items():
        description = ModelDescription.model_validate_json(opened(to, precision).description)
        assert description.preprocessing.in_channels == 1
        record = json.loads(made.path.with_name(f"{made.path.name}.parity.json").read_text())
        assert (record["format"], record["precision"], record["images"]) == (to, precision, 2)
        assert np.isfinite(record["largest_difference"])
        assert record["sha256"] and record["sha256"] == verify_checksum(made.path)
    sizes = {
        key: made.path.with_suffix(".bin").stat().st_size for key, made in exported.items() if key[0] == "openvino"
    }
    assert sizes["openvino", "float16"] < 0.7 * sizes["openvino", "float32"]


@needs_extra
def test_weights_in_16_bits_are_half_as_large_and_computed_with_in_32(exported):
    exact, halved = (exported["onnx", precision] for precision in ("float32", "float16"))
    assert halved.path.stat().st_size < exact.path.stat().st_size - 50_000  # most of so small a file is its graph
    assert 0 < halved.parity.largest_difference < 0.01
    session = ort.InferenceSession(halved.path)
    assert {one.type for one in (*session.get_inputs(), *session.get_outputs())} == {"tensor(float)"}


@needs_extra
def test_weights_that_16_bits_do_not_hold_stay(tmp_path):
    """Infinity would be no weight."""
    network = torch.nn.Conv2d(1, 2, 31)
    torch.nn.init.constant_(network.weight, 1e5)
    for precision in ("float32", "float16"):
        whole = ExportModule(torch.nn.Sequential(torch.nn.ZeroPad2d(15), network), [0.0], [1 / 255])
        write_network(whole, tmp_path / f"{precision}.onnx", "onnx", precision, description="{}")
    image = np.ones((1, 1, 32, 32), np.float32)
    exact, halved = (
        ort.InferenceSession(tmp_path / f"{precision}.onnx").run(None, {"image": image})[0]
        for precision in ("float32", "float16")
    )
    assert np.isfinite(halved).all() and np.array_equal(exact, halved)


@needs_extra
def test_an_onnx_file_holds_its_work(exported, whole):
    network, _ = load_model(whole.run / FILE_NAME)
    macs = int(read_onnx_metadata(exported["onnx", "float32"].path)[MACS])
    assert macs == pytest.approx(count_macs(for_inference(network), 256, 256, in_channels=1) / 256**2, abs=1)


@needs_extra
def test_eight_bits_need_a_training_image(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_images", lambda *given, **said: replace(find_images(*given, **said), training=[]))
    with pytest.raises(InputError, match="has no training image to find the ranges of eight bits on"):
        export(whole.run, "onnx", precision="int8", out=tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@needs_extra
@pytest.mark.usefixtures("copies_written")
def test_eight_bits_that_lose_are_refused_with_the_figure(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAY_LOSE", -1.0)
    monkeypatch.setattr(module, "_FINDS_NOTHING", 0.0)
    with pytest.raises(InputError, match=r"eight bits lose .* points of Dice on 2 validation images"):
        export(whole.run, "onnx", precision="int8", out=tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@needs_extra
@pytest.mark.usefixtures("copies_written")
def test_eight_bits_are_refused_where_there_is_nothing_to_lose(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_FINDS_NOTHING", 1.1)
    with pytest.raises(InputError, match=r"finds nothing of what the masks of .* show"):
        export(whole.run, "onnx", precision="int8", out=tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


@needs_extra
def test_a_precision_that_this_processor_lacks_is_told(exported, opened):
    import openvino

    has = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    made = exported["openvino", "bfloat16"]
    assert made.computed_in == ("bfloat16" if "BF16" in has else "float32")
    assert opened("openvino", "bfloat16").lacking == ("" if "BF16" in has else "bfloat16")
    assert opened("openvino", "float32").lacking == ""


@needs_extra
def test_the_example_predicts_what_predict_does(exported, whole, tmp_path):
    source = next((locate("sample:nuclei") / "test" / "images").glob("*.png"))
    network = _changed(exported["onnx", "float32"].path, tmp_path / "network.onnx", smallest_object=0)
    subprocess.run([sys.executable, _EXAMPLE, network, source, tmp_path / "mask.png"], check=True)
    mask = np.asarray(Image.open(tmp_path / "mask.png"))
    expected = load(network).predict(source).to_mask()
    assert (mask == expected).mean() > 0.999


@needs_extra
@pytest.mark.parametrize("normalization", ["percentiles", "channels"])
def test_the_example_windows_as_predict_does(exported, tmp_path, normalization):
    image = np.full((64, 80), 7, np.uint8)
    image[20:24, 30:34], image[40:43, 50:55] = 30, 19  # few pixels differ from the rest
    Image.fromarray(image).save(tmp_path / "image.png")
    seen = {"in_channels": 1, "normalization": normalization, "mean": [0.2], "std": [0.2]}
    known = {"preprocessing": seen | {"scale": 1.0}, "smallest_object": 0, "threshold": 0.49}
    network = _changed(exported["onnx", "float32"].path, tmp_path / "network.onnx", **known)
    subprocess.run([sys.executable, _EXAMPLE, network, tmp_path / "image.png", tmp_path / "mask.png"], check=True)
    expected = load(network).predict(tmp_path / "image.png").to_mask()
    assert (np.asarray(Image.open(tmp_path / "mask.png")) == expected).mean() > 0.999


@needs_extra
def test_the_example_and_the_file_bring_images_to_the_trained_size(exported, whole, tmp_path):
    """The rule stands in the file, and predicts what the run does by it; in twice the pixels the mask is the same."""
    source = next((locate("sample:nuclei") / "test" / "images").glob("*.png"))
    made = exported["onnx", "float32"].path
    known = ModelDescription.model_validate_json(open_runtime(made).description)
    rule = known.preprocessing.model_copy(update={"image_scale": "size", "typical_size": (128, 128)})
    network = _changed(made, tmp_path / "n.onnx", preprocessing=rule.model_dump(mode="json"), smallest_object=0)
    run = Path(shutil.copytree(whole.run, tmp_path / "run"))
    torch_network, _ = load_model(run / FILE_NAME)
    described = known.model_copy(update={"preprocessing": rule, "smallest_object": 0})
    save_model(run / FILE_NAME, torch_network, described)
    with Image.open(source) as picture:
        large = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.png")
    subprocess.run([sys.executable, _EXAMPLE, network, tmp_path / "large.png", tmp_path / "mask.png"], check=True)
    expected = load(network).predict(tmp_path / "large.png")
    of_torch = load(run, RuntimeOptions(device="cpu", precision="float32")).predict(tmp_path / "large.png")
    assert load(network).prepare(np.asarray(large)[..., None], "x").working_size == (128, 128)
    assert (expected.mask == of_torch.mask).mean() > 0.999
    assert (np.asarray(Image.open(tmp_path / "mask.png")) == expected.to_mask()).mean() > 0.999


def test_narrow_images_are_compared_as_predict_pads_them(make_dataset, whole):
    samples = open_dataset(make_dataset(3)).samples
    _, known = load_model(whole.run / FILE_NAME)
    narrow = known.preprocessing.model_copy(update={"scale": 0.5})
    known = known.model_copy(update={"preprocessing": narrow})
    pairs = prepare_images(samples, known)
    assert len(pairs) == 3, "of 20 x 24 working pixels"
    for image, labels in pairs:
        assert image.shape == (1, 1, 32, 32) and labels.shape == (1, 32, 32)
        assert (labels[:, 20:] == IGNORE_INDEX).all() and (labels[:, :, 24:] == IGNORE_INDEX).all()
        assert (labels[:, :20, :24] != IGNORE_INDEX).all()
        assert (image[0, 0, 20:, :24] == image[0, 0, 19, :24]).all(), "the border is repeated"


def _changed(network: Path, copy: Path, **fields: Any) -> Path:
    """A copy of an ONNX file that describes itself otherwise."""
    onnx = importlib.import_module("onnx")
    model = onnx.load(network)
    entry, *_ = model.metadata_props
    assert entry.key == METADATA
    entry.value = json.dumps(json.loads(entry.value) | fields)
    del model.metadata_props[1:]  # the checksum among them
    onnx.save(model, copy)
    append_checksum(copy)
    return copy


@needs_extra
def test_a_description_that_was_edited_is_noticed(exported, tmp_path):
    onnx = importlib.import_module("onnx")
    model = onnx.load(exported["onnx", "float32"].path)
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"threshold":0.', '"threshold":0.1')
    onnx.save(model, tmp_path / "network.onnx")
    with pytest.raises(InputError, match=r"network\.onnx is damaged or was changed \(its checksum differs\)"):
        load(tmp_path / "network.onnx")


@needs_extra
@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_kill_between_the_two_files_of_openvino_is_noticed(exported, whole, tmp_path, monkeypatch, killed_at):
    out = tmp_path / "network.xml"
    for suffix in (".xml", ".bin"):
        copyfile(exported["openvino", "float32"].path.with_suffix(suffix), out.with_suffix(suffix))

    def other(whole: ExportModule, path: Path, *_: Any, **__: Any) -> None:
        for suffix in (".xml", ".bin"):
            copyfile(exported["openvino", "float16"].path.with_suffix(suffix), path.with_suffix(suffix))

    replace, done = Path.replace, []

    def replaced(self: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == killed_at:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(module, "write_network", other)
    monkeypatch.setattr(Path, "replace", replaced)
    with pytest.raises(KeyboardInterrupt):
        export(whole.run, "openvino", out=out, overwrite=True)
    if killed_at == 1:
        assert load(out), "nothing was replaced"
    else:
        with pytest.raises(InputError, match=r"network\.xml and network\.bin are not of one export, or"):
            load(out)


@needs_extra
def test_the_example_takes_no_more_than_eight_bits(exported, tmp_path):
    source = tmp_path / "deep.png"
    Image.fromarray(np.full((64, 64), 3000, np.uint16)).save(source)
    command = [sys.executable, _EXAMPLE, exported["onnx", "float32"].path, source, tmp_path / "mask.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "images of more than 8 bits" in done.stderr
    Image.fromarray(np.zeros((5, 40), np.uint8)).save(source)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "a side under 32 pixels" in done.stderr


@needs_extra
@pytest.mark.parametrize(
    "changed",
    [
        {
            "arguments": {"in_channels": 3, "num_classes": 2},
            "preprocessing": {"in_channels": 3, "normalization": "depth", "mean": [0, 0, 0], "std": [1, 1, 1]},
        },
        {
            "arguments": {"num_classes": 3},
            "convention": {"kind": "values", "values": [0, 1, 2], "class_names": ["a", "b", "c"]},
        },
    ],
    ids=["channels", "classes"],
)
def test_a_file_that_is_not_what_it_says_is_refused(exported, tmp_path, changed):
    network = _changed(exported["onnx", "float32"].path, tmp_path / "network.onnx", **changed)
    with pytest.raises(InputError, match=r"network\.onnx does not take images of \d channels to \d classes"):
        load(network)


@needs_extra
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"convention": {"kind": "values", "values": [0], "class_names": ["a", "b"]}},
            "as many values as class names",
        ),
        (
            {"preprocessing": {"in_channels": 1, "normalization": "depth", "mean": [0, 0], "std": [1]}},
            "for each channel",
        ),
        ({"convention": {"kind": "values", "values": [0, 1], "class_names": ["a", "../../b"]}}, "holds / or"),
        ({"threshold": 3}, "describes its network wrongly .threshold: "),
        ({"convention": {"kind": "values", "values": [0, 70000], "class_names": ["a", "b"]}}, "than masks can hold"),
        (
            {"preprocessing": {"in_channels": 1, "normalization": "depth", "scale": 1e9, "mean": [0], "std": [1]}},
            "scale: ",
        ),
        ({"colour": "blue"}, "was written by another version of amsunet .colour: "),
    ],
)
def test_a_description_that_cannot_be_is_refused(exported, tmp_path, changed, sentence):
    network = _changed(exported["onnx", "float32"].path, tmp_path / "network.onnx", **changed)
    with pytest.raises(InputError, match=sentence):
        load(network)


@needs_extra
@pytest.mark.parametrize(
    ("part", "sentence"), [(".bin", r"network\.bin is missing"), (".xml", r"cannot be opened \((?!Ex)")]
)
def test_half_of_an_openvino_network_is_told(exported, tmp_path, part, sentence):
    network = tmp_path / "network.xml"
    for suffix in (".xml", ".bin"):
        copyfile(exported["openvino", "float32"].path.with_suffix(suffix), network.with_suffix(suffix))
    if part == ".bin":
        network.with_suffix(part).unlink()
    else:
        network.write_text("<net")
    with pytest.raises(InputError, match=sentence) as told:
        load(network)
    assert len(str(told.value)) < 400


@needs_extra
@pytest.mark.usefixtures("copies_written")
def test_a_file_that_is_there_is_replaced_when_told_and_only_as_a_whole(whole, tmp_path, monkeypatch):
    out = tmp_path / "x.xml"
    out.write_text("mine")
    with pytest.raises(InputError, match=r"x\.xml is there already: .* overwrite=True"):
        export(whole.run, "openvino", out=out)
    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"could not be written"):
        patch.setattr(module.shutil, "copyfile", _fail_at_bin)
        export(whole.run, "openvino", out=out, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.xml"] and out.read_text() == "mine"
    assert load(export(whole.run, "openvino", out=out, overwrite=True).path)


@needs_extra
def test_where_nothing_can_be_written_is_said_before_the_work(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_network", None)
    (tmp_path / "x.onnx").mkdir()
    with pytest.raises(InputError, match=r"x\.onnx is a folder: name a file"):
        export(whole.run, "onnx", out=tmp_path / "x.onnx", overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"could not be written .*a file where a folder should: "):
        export(whole.run, "onnx", out=tmp_path / "file" / "y.onnx")
    (tmp_path / "z.onnx.parity.json").write_text("of another program")
    with pytest.raises(InputError, match=r"z\.onnx\.parity\.json is there already: choose another out"):
        export(whole.run, "onnx", out=tmp_path / "z.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "x.onnx", "z.onnx.parity.json"]


def _fail_at_bin(source: Path, target: Path) -> None:
    if source.suffix == ".bin":
        raise OSError(errno.ENOSPC, "No space left on device")
    copyfile(source, target)


@needs_extra
def test_the_example_refuses_what_it_does_not_do(exported, tmp_path):
    deep = tmp_path / "deep.png"
    Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)).save(deep)
    command = [sys.executable, _EXAMPLE, exported["onnx", "float32"].path, deep, tmp_path / "mask.png"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "images of more than 8 bits" in done.stderr
    assert not (tmp_path / "mask.png").exists()


@needs_extra
def test_an_exported_file_runs_without_torch_and_telemetry(exported, tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from amsunet.inference.runtime import open_runtime\n"
        "for path in sys.argv[1:]:\n"
        "    assert open_runtime(Path(path))(np.zeros((1, 1, 64, 64), np.float32)).shape == (1, 2, 64, 64)\n"
        "print([name for name in ('torch', 'pytorch_lightning', 'monai') if name in sys.modules])\n"
        "print(sys.modules.get('openvino_telemetry'), end='')"
    )
    paths = [str(exported[to, "float32"].path) for to in ("onnx", "openvino")]
    untold = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    out = subprocess.run(
        [sys.executable, "-c", code, *paths],
        check=True, capture_output=True, text=True, env=untold | {"TMPDIR": str(tmp_path)},
    ).stdout  # fmt: skip
    assert out.splitlines()[-2:] == ["[]", "None"], "neither torch nor telemetry"
    assert not list(tmp_path.iterdir()), "nor the number of a session, which ONNX Runtime's telemetry makes up"


@pytest.mark.parametrize(
    ("to", "settings", "message"),
    [
        ("onnx", {"precision": "bfloat16"}, "onnx has no bfloat16: choose one of float32, float16, int8"),
        ("pt2", {"precision": "int8"}, "pt2 has no int8: choose one of float32, bfloat16"),
        ("executorch", {"precision": "int8"}, "executorch has no int8: choose one of float32"),
        ("openvino", {"out": "x.onnx"}, r"x\.onnx must end in \.xml for openvino"),
    ],
)
def test_what_a_format_lacks_is_said(run, to, settings, message):
    with pytest.raises(InputError, match=message):
        export(run, to, **settings)


@pytest.mark.parametrize(("to", "package", "extra"), [("onnx", "onnx", "export"), ("executorch",) * 2 + ("mobile",)])
def test_a_package_that_is_missing_is_named(run, monkeypatch, to, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=re.escape(f"{package} is not installed: {install_command(extra)}")):
        export(run, to)


@needs_extra
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.onnx", b"no network", "cannot be opened"),
        ("a.xml", b"no network", r"a\.bin is missing"),
        ("a.pt2", b"no network", "cannot be opened"),
        ("a.png", b"", "is no exported network"),
        ("absent.onnx", None, "is missing"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_runtime(tmp_path / name)


@needs_extra
def test_a_foreign_onnx_file_is_refused(exported, tmp_path):
    import onnx

    path = tmp_path / "foreign.onnx"
    shutil.copy(exported["onnx", "float32"].path, path)
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)
    with pytest.raises(InputError, match="holds no description of amsunet"):
        open_runtime(path)


def test_a_foreign_program_of_torch_is_refused(tmp_path):
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(1, 3, 32, 32),))
    torch.export.save(program, tmp_path / "foreign.pt2")
    with pytest.raises(InputError, match="holds no description of amsunet"):
        open_runtime(tmp_path / "foreign.pt2")


@pytest.mark.usefixtures("copies_written")
def test_data_that_moved_and_other_data_are_measured_on(run, make_dataset, tmp_path):
    a, b, c = (tmp_path / f"{name}{ALL_SUFFIXES[_FAST]}" for name in "abc")
    moved = export(run, _FAST, shutil.copytree(locate("sample:nuclei"), tmp_path / "moved"), out=a)
    assert moved.parity == export(run, _FAST, out=b).parity
    other = export(run, _FAST, make_dataset(10), out=c)
    assert other.parity.images == 4 and other.parity.largest_difference < 1e-4


@pytest.mark.usefixtures("copies_written")
def test_a_model_file_without_its_run_needs_data(run, make_dataset, tmp_path):
    alone = Path(shutil.copy(run / FILE_NAME, tmp_path / "dots.safetensors"))
    with pytest.raises(InputError, match=r"dots\.safetensors comes without data: name images with masks"):
        export(alone, _FAST)
    assert export(alone, _FAST, make_dataset(10)).path == tmp_path / f"dots-float32{ALL_SUFFIXES[_FAST]}"


def test_a_program_of_torch_is_not_predicted_with(exported):
    """It would be unpickled."""
    with pytest.raises(InputError, match=r"float32\.pt2 is for other programs: name \.onnx or \.xml, or"):
        load(exported["pt2", "float32"].path)


def test_a_program_in_bfloat16_is_compared_as_any_other(tmp_path, make_dataset):
    arguments = {"in_channels": 1, "num_classes": 2, "base_channels": 4}
    kind = Preprocessing(in_channels=1, normalization="depth", mean=(0.5,), std=(0.2,))
    description = ModelDescription(
        model="unet", arguments=arguments, preprocessing=kind, convention=values_convention((0, 255))
    )
    torch.manual_seed(0)
    save_model(tmp_path / "u.safetensors", create_model("unet", **arguments), description)
    made = export(tmp_path / "u.safetensors", "pt2", make_dataset(10), precision="bfloat16")
    assert made.path == tmp_path / "u-bfloat16.pt2" and made.computed_in == "bfloat16"
    assert made.parity.images == 4 and 0 < made.parity.largest_difference < 0.1
    record = json.loads(made.path.with_name(f"{made.path.name}.parity.json").read_text())
    assert (record["format"], record["precision"]) == ("pt2", "bfloat16")


def test_writing_in_bfloat16_leaves_the_network_as_it_is(tmp_path):
    network = torch.nn.Conv2d(3, 2, 1)
    whole = ExportModule(network, (0.0,) * 3, (1 / 255,) * 3)
    write_network(whole, tmp_path / "model.pt2", "pt2", "bfloat16", description="{}")
    assert network.weight.dtype == torch.float32
    found = open_runtime(tmp_path / "model.pt2")(np.ones((1, 3, 32, 32), np.float32))
    assert found.dtype == np.float32


def _one_of_each(network: torch.nn.Module) -> torch.nn.Module:
    """Of blocks that follow one another and are alike leave one: a graph of each kind is captured in less time."""

    def kind(part: torch.nn.Module) -> tuple[object, ...]:
        return type(part), *((name, value.shape) for name, value in part.state_dict().items())

    for parts in [part for part in network.modules() if isinstance(part, torch.nn.Sequential)]:
        for place in range(len(parts) - 1, 0, -1):
            if kind(parts[place]) == kind(parts[place - 1]):
                del parts[place]
    return network


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("amsunet", *_OF_ANOTHER_SIZE)])
def test_networks_export_for_every_size(name, tmp_path, monkeypatch):
    """AMSUnet is held by what ``exported`` has; each network is captured once, which is what takes the time."""
    monkeypatch.setattr(exporters, "_capture", functools.cache(exporters._capture))
    torch.manual_seed(0)
    network = _one_of_each(small(name, **_FEWER_STAGES.get(name, {}))).eval()
    whole = ExportModule(for_inference(network), (0.0,) * 3, (1 / 255,) * 3)
    for to in ("onnx", "pt2"):
        if missing_package(to):
            continue
        path = tmp_path / f"model{ALL_SUFFIXES[to]}"
        if (name, to) == ("unext", "pt2"):  # torch captures it for some sizes only
            with pytest.raises(InputError, match=r"torch\.export cannot export this network .*: export it to onnx"):
                write_network(whole, path, to, "float32", description="{}")
            continue
        if to == "pt2" and name not in ("unet", "resunet"):
            continue
        write_network(whole, path, to, "float32", description="{}")
        runtime = open_runtime(path)
        for shape in ((1, 3, 32, 32), (3, 3, 33, 47), (2, 3, 130, 71)):
            images = np.random.default_rng(0).random(shape, np.float32)
            with torch.no_grad():
                expected = network(torch.from_numpy(images)).numpy()
            np.testing.assert_allclose(runtime(images), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("to", [one for one in _FORMATS if one.values == ("executorch",)])
@pytest.mark.parametrize("name", ["amsunet", "unet"])
def test_a_phone_gets_one_image_of_any_size_up_to_the_largest(name, to, tmp_path):
    torch.manual_seed(0)
    network = create_model(name, base_channels=4).eval()
    whole = ExportModule(for_inference(network), (0.0,) * 3, (1 / 255,) * 3)
    write_network(whole, tmp_path / "model.pte", to, "float32", description="{}")
    runtime = open_runtime(tmp_path / "model.pte")
    for shape in ((2, 3, 33, 47), (1, 3, 512, 512)):
        images = np.random.default_rng(0).random(shape, np.float32)
        with torch.no_grad():
            np.testing.assert_allclose(runtime(images), network(torch.from_numpy(images)).numpy(), atol=1e-4)


def test_an_onnxscript_older_than_torch_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: importlib.import_module("onnxscript.for_torch_9"))
    whole = ExportModule(torch.nn.Conv2d(3, 2, 1), (0.0,) * 3, (1 / 255,) * 3)
    with pytest.raises(InputError, match=r"torch cannot export this network .*: pip install --upgrade onnxscript$"):
        write_network(whole, tmp_path / "model.onnx", "onnx", "float32", description="{}")


@pytest.mark.parametrize("to", [one for one in _FORMATS if one.values == ("executorch",)])
def test_what_a_phone_cannot_run_is_refused(to, tmp_path):
    whole = ExportModule(create_model("convunext", base_channels=4).eval(), (0.0,) * 3, (1 / 255,) * 3)
    with pytest.raises(InputError, match=r"ExecuTorch cannot export this network .*: export it to onnx"):
        write_network(whole, tmp_path / "model.pte", to, "float32", description="{}")
