"""Settings of the plan are set against the plan as it is."""

from __future__ import annotations

import pytest
import recipe as module
from click.testing import CliRunner
from recipe import variants_of

from amsunet.errors import InputError


def test_the_recipe_is_the_plan_and_one_change_each():
    plan, *changed = variants_of(base_channels=8)
    assert (plan.name, plan.settings) == ("the plan", {})
    assert {"loss=focal_dice", "inversion=true", "normalization=gamma"} <= {variant.name for variant in changed}
    assert all(len(variant.settings) == 1 and variant.options == {"base_channels": 8} for variant in changed)
    changes = [variant.settings for variant in changed]
    assert all(change not in changes[:index] for index, change in enumerate(changes))
    tried = variants_of([{"loss": "focal_dice", "crop": [64, 96]}])
    assert [variant.name for variant in tried] == ["the plan", "loss=focal_dice crop=64,96"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wings": 2}, "no setting 'wings'"),
        ({"loss": "focl"}, "loss: .*not focl"),
        ({"extra_augmentation": "stein"}, "extra_augmentation: .*not stein"),
        ({"learning_rate": -1}, "learning_rate: "),
        ({"loss": "ce_dice_boundary"}, "no longer has boundary loss"),
        ({"seed": 3}, "seed cannot be tried"),
        ({"epochs": 3}, "epochs cannot be tried"),
    ],
)
def test_what_cannot_be_tried_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        variants_of([change])


def test_the_script_tries_what_is_said(monkeypatch):
    """As far as the study, which is that of ``amsunet ablate``."""
    studies = []
    monkeypatch.setattr(module, "run_study", lambda data, variants, **values: studies.append((variants, values)))

    def call(*tries):
        words = ["sample:nuclei", "--epochs", "1", *(word for one in tries for word in ("--try", one))]
        return CliRunner().invoke(module.recipe, words)

    assert call("loss=focal_dice foreground-fraction=0.5", "inversion=true").exit_code == 0
    (variants, values), *_ = studies
    assert [one.settings for one in variants[1:]] == [
        {"loss": "focal_dice", "foreground_fraction": 0.5},
        {"inversion": True},
    ]
    assert values["settings"] == {"epochs": 1} and values["seeds"] == 3
    assert isinstance(call("loss=focl").exception, InputError) and len(studies) == 1
