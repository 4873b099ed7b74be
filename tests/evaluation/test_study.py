"""A study's folder: what goes on there, and what is refused."""

from __future__ import annotations

import json

import pytest

from amsunet.errors import InputError
from amsunet.evaluation.ablation import variants_of
from amsunet.evaluation.study import Study, open_study, read_study
from amsunet.evaluation.variant import Variant


def _study(**changes) -> Study:
    values = {
        "title": "t", "source": "sample:nuclei", "group": None, "skip_broken": False, "mask_options": None,
        "checksums": {"a": "1"}, "splits": [{"a": "test"}], "folds": None, "plan": {"crop": (64, 64), "minutes": 1.0},
        "device": "cpu", "precision": "float32", "threads": 2, "seeds": 2,
        "variants": (Variant(name="unet", model="unet"),),
    }  # fmt: skip
    return Study(**{**values, **changes})


def test_trials_come_seed_by_seed():
    study = _study(variants=(Variant(name="a", model="a"), Variant(name="b/c", model="b")), folds=2)
    assert [trial.name for trial in study.trials()] == [
        "a-seed0-fold0", "b_c-seed0-fold0", "a-seed0-fold1", "b_c-seed0-fold1",
        "a-seed1-fold0", "b_c-seed1-fold0", "a-seed1-fold1", "b_c-seed1-fold1",
    ]  # fmt: skip


def test_a_study_goes_on_and_grows(tmp_path):
    open_study(tmp_path, _study())
    assert open_study(tmp_path, _study()) == read_study(tmp_path)
    asked = open_study(tmp_path, _study(variants=(Variant(name="unext", model="unext"),), seeds=1))
    assert ([variant.name for variant in asked.variants], asked.seeds) == (["unext"], 1)
    known = read_study(tmp_path)
    assert ([variant.name for variant in known.variants], known.seeds) == (["unet", "unext"], 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"checksums": {"a": "2"}}, "another images or masks"),
        ({"plan": {"crop": (64, 96), "minutes": 1.0}}, "crop .*64, 64.*, not .*64, 96"),
        ({"amsunet": "0.0.1"}, "another version of amsunet"),
        ({"folds": 3}, "another number of folds"),
        ({"threads": 4}, "2 threads a training"),
        ({"variants": (Variant(name="unet", model="unext"),)}, "a network unet with other settings"),
    ],
)
def test_what_must_not_be_mixed_is_refused(changes, message, tmp_path):
    open_study(tmp_path, _study())
    before = (tmp_path / "study.json").read_text()
    with pytest.raises(InputError, match=f"{message}.*another out"):
        open_study(tmp_path, _study(**changes))
    assert (tmp_path / "study.json").read_text() == before


def test_a_damaged_study_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no study"):
        read_study(tmp_path)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_study(tmp_path)


def test_a_study_that_began_before_a_setting_was_there_goes_on(tmp_path):
    open_study(tmp_path, _study())
    plan = _study().plan
    open_study(tmp_path, _study(plan={**plan, "loss": "ce_dice"}))
    with pytest.raises(InputError, match="loss ce_dice, not focal_dice"):
        open_study(tmp_path, _study(plan={**plan, "loss": "focal_dice"}))


def test_a_study_that_began_with_a_setting_that_is_gone_goes_on_where_it_was_not_used(tmp_path):
    study = _study()
    open_study(tmp_path, study)
    path, written = tmp_path / "study.json", study.model_dump(mode="json")
    path.write_text(json.dumps(written | {"plan": written["plan"] | {"deep_supervision": False}}))
    assert "deep_supervision" not in open_study(tmp_path, study).plan
    path.write_text(json.dumps(written | {"plan": written["plan"] | {"deep_supervision": True}}))
    with pytest.raises(InputError, match=r"study\.json: amsunet no longer has deep supervision: .*another out"):
        open_study(tmp_path, study)


def test_a_study_on_validation_images_is_not_mixed_with_one_on_test_images(tmp_path):
    open_study(tmp_path, _study(split="val"))
    with pytest.raises(InputError, match="another part of the images to evaluate on"):
        open_study(tmp_path, _study())


def test_an_unknown_ablation_names_the_known():
    with pytest.raises(InputError, match="choose one of dilation, kernels"):
        variants_of("dilations")


def test_networks_begin_at_random_but_for_those_that_are_a_start():
    started = Variant(name="started", model="unet", settings={"pretrained": "zoo:nuclei"})
    unset = Variant(name="unset", model="amsunet_lite", settings={"pretrained": None})
    study = _study(variants=(Variant(name="light", model="amsunet_lite"), started, unset), seeds=1)
    assert [study.settings_of(trial)["pretrained"] for trial in study.trials()] == ["none", "zoo:nuclei", "none"]
