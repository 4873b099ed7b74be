"""The networks of a study by their names."""

from __future__ import annotations

import pytest

from amsunet.errors import InputError
from amsunet.evaluation.variant import Variant, as_variants


def test_a_width_stands_behind_the_name():
    variants = as_variants(["unet@16", "unet", "/a/b.py:build@8"])
    assert [(one.name, one.model, one.options) for one in variants] == [
        ("unet@16", "unet", {"base_channels": 16}),
        ("unet", "unet", {}),
        ("b.build@8", "/a/b.py:build", {"base_channels": 8}),
    ]


@pytest.mark.parametrize("width", ["0", "4097", "9" * 5000])
def test_a_width_that_no_network_has_is_refused(width):
    with pytest.raises(InputError, match=r"unet@.*: a network has 1 to 4096 base channels, so write unet@16"):
        as_variants([f"unet@{width}"])


def test_sizes_are_of_one_family_and_other_settings_are_not():
    made = as_variants(["amsunet_lite_xs", "amsunet_lite", "amsunet_lite_m", "amsunet_lite@32", "resunet_lite"])
    assert [one.family for one in made] == ["amsunet_lite"] * 4 + ["resunet_lite"]
    plain = Variant(name="plain", model="amsunet_lite", options={"mixer": "plain"})
    assert plain.family == "amsunet_lite mixer=plain"
