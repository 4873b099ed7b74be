"""Files that use what is gone are refused in a sentence; those that only name it are used as before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from made_device import CPU
from safetensors.torch import load

import amsunet
from amsunet.data.builtin_samples import locate
from amsunet.errors import InputError
from amsunet.inference.model_file import _checksum, load_model
from amsunet.inference.model_metadata import METADATA
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.training.run_folder import RunConfig

_RESULTS = Path(__file__).parents[1] / "results"
_USED = [
    ("loss", "ce_dice_boundary", "boundary loss"),
    ("deep_supervision", True, "deep supervision"),
    ("extra_augmentation", ["stain", "elastic"], "elastic augmentation"),
    ("extra_augmentation", ["low_resolution"], "low-resolution augmentation"),
    ("extra_augmentation", ["scale"], "zoom augmentation"),
    ("normalization", "clahe", "CLAHE"),
]


@pytest.fixture
def old(whole, tmp_path):
    """A run as an earlier version left it, with some settings of its plan as said."""

    def make(**settings):
        run = shutil.copytree(whole.run, tmp_path / "old")
        config = json.loads((run / "config.json").read_text())
        config["plan"] |= settings
        del config["sha256"]
        (run / "config.json").write_text(json.dumps(config))
        return run

    return make


def _windowed_by_clahe(run: Path) -> None:
    """Let the model file say so, as an earlier version wrote it."""
    path = run / FILE_NAME
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    text = json.loads(header["__metadata__"][METADATA])
    text["preprocessing"]["normalization"] = "clahe"
    header["__metadata__"][METADATA] = json.dumps(text)
    header["__metadata__"]["sha256"] = _checksum(load(content), header["__metadata__"][METADATA])
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + length :])


@pytest.mark.parametrize(("name", "value", "feature"), _USED)
def test_a_run_that_used_it_is_refused_and_left_as_it_is(old, name, value, feature):
    run = old(**{name: value})
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    message = rf"config\.json: amsunet no longer has {feature}.*: 0\.1\.0 \(commit \w+\) was the last version with it"
    with pytest.raises(InputError, match=message):
        amsunet.resume(run)
    with pytest.raises(InputError, match=message):
        amsunet.evaluate(run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_run_that_did_not_use_it_is_resumed_evaluated_and_predicts(old):
    run = old(deep_supervision=False)
    assert amsunet.resume(run).epochs == 3  # those of the checkpoint, which it goes on with
    assert amsunet.evaluate(run).images
    image = next((locate("sample:nuclei") / "test" / "images").iterdir())
    assert amsunet.load(run, RuntimeOptions(device="cpu")).predict(image).mask.size


@pytest.mark.parametrize("call", [load_model, lambda path: amsunet.load(path.parent)], ids=["file", "run"])
def test_a_model_file_that_needs_it_is_refused(whole, tmp_path, call):
    run = shutil.copytree(whole.run, tmp_path / "old")
    _windowed_by_clahe(run)
    with pytest.raises(
        InputError, match=rf"{FILE_NAME}: amsunet no longer has CLAHE windowing: 0\.1\.0 .*train again$"
    ):
        call(run / FILE_NAME)


def test_the_records_of_trainings_are_read_but_for_the_one_with_clahe():
    read, refused = [], []
    for path in sorted(_RESULTS.glob("*/config.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "network" in content["plan"]:  # before the first release
            continue
        try:
            RunConfig.model_validate(content)
        except ValueError as error:
            assert "no longer has CLAHE" in str(error)
            refused.append(path.parent.name)
        else:
            read.append(content["plan"].get("deep_supervision"))
    assert refused == ["drive_gpu_8min_clahe"]
    assert len(read) > 20 and False in read


@pytest.mark.parametrize(("name", "value", "feature"), [one for one in _USED if one[0] != "deep_supervision"])
def test_who_asks_for_it_is_told(tmp_path, name, value, feature):
    with pytest.raises(InputError, match=f"amsunet no longer has {feature}"):
        amsunet.train("sample:nuclei", {"epochs": 1, **{name: value}}, out=tmp_path / "run", device=CPU)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train sample:nuclei --deep-supervision", "No such option"),
        ("train sample:nuclei --normalization clahe", "'clahe' is not one of"),
        ("train sample:nuclei --loss ce_dice_boundary", "'ce_dice_boundary' is not one of"),
        ("predict nuclei a.png --out o --runtime auto", "'auto' is not one of"),
        ("benchmark", "No such command"),
    ],
)
def test_the_command_line_refuses_it(words, message):
    from click.testing import CliRunner

    from amsunet.cli import cli

    done = CliRunner().invoke(cli, words.split())
    assert done.exit_code == 2 and message in done.output
