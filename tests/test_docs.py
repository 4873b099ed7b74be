"""The code that the documentation shows, run."""

from __future__ import annotations

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
