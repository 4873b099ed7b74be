"""The code that the documentation shows, run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from amsunet.blocks import AMSE, RSC

_BLOCKS = (Path(__file__).parents[1] / "docs" / "blocks.md").read_text(encoding="utf-8")
_CODE = re.findall(r"```python\n(.*?)```", _BLOCKS, re.DOTALL)


@pytest.mark.parametrize(("section", "block", "count"), [(0, RSC, 3), (1, AMSE, 4)])
def test_a_foreign_network_with_our_blocks_trains(section, block, count):
    torch.manual_seed(0)
    names: dict[str, object] = {}
    exec(_CODE[section], names)
    network = names["network"]
    assert sum(isinstance(module, block) for module in network.modules()) == count
    before = {name: value.clone() for name, value in network.named_parameters()}
    losses = []
    for _ in range(3):  # the page's three steps, three times
        exec(_CODE[2], names)
        losses.append(float(names["loss"]))
    inside = [n for n, m in network.named_modules() if isinstance(m, block)]
    for name in inside:
        assert any(
            not torch.equal(value, before[key]) for key, value in network.named_parameters() if key.startswith(name)
        ), f"{name} did not learn"
    assert all(loss == loss for loss in losses)


def test_the_page_names_every_choice():
    from dataclasses import fields

    from amsunet.blocks import AMSEDesign
    from amsunet.evaluation.ablation import STUDIES

    for name in (*(field.name for field in fields(AMSEDesign)), *STUDIES, "dilations", "skip_attention"):
        assert f"`{name}`" in _BLOCKS, name


def test_the_table_of_strange_images_is_the_measured_one():
    root = Path(__file__).parents[1]
    page = (root / "docs" / "how-to.md").read_text(encoding="utf-8")
    found = json.loads((root / "results" / "out_of_distribution.json").read_text(encoding="utf-8"))["networks"]
    assert set(found) == {"vessels", "nuclei", "glands", "lesions"}
    for network, counted in found.items():
        kinds = (counted["hits"].get(name) for name in ("DRIVE", "DSB2018", "GlaS", "ISIC2017-256"))
        cells = [f"{one['told']} of {one['images']}" if one else "" for one in (counted["false_alarms"], *kinds)]
        last = counted["hits"]["photographs of scikit-image"]
        row = " | ".join([network, *cells, f"{last['told']} of {last['images']}"]).replace("|  |", "| |")
        assert f"| {row} |" in page
