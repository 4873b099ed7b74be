"""LiteAMSE: one kernel is the sum of its parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amsunet.blocks import ComposedAMS, GatedAMSE, LiteAMSE
from amsunet.models.lite import ResidualConv


@pytest.mark.parametrize("size", [(9, 8), (3, 2), (1, 1), (20, 31)])
def test_one_kernel_is_the_sum_of_its_parts_up_to_the_border(size):
    torch.manual_seed(0)
    ams, x = ComposedAMS(4).double(), torch.randn(2, 4, *size, dtype=torch.float64)
    nn.init.normal_(ams.bias)
    apart = F.conv2d(x, ams.local, padding=1, groups=4) + ams.bias[:, None, None]
    for kernel, dilation in zip(ams.atrous, (2, 3), strict=True):
        apart = apart + F.conv2d(x, kernel, padding=dilation, dilation=dilation, groups=4)
    for row, column, reach in zip(ams.rows, ams.columns, (2, 3), strict=True):
        apart = apart + F.conv2d(F.conv2d(x, row, padding=(0, reach), groups=4), column, padding=(reach, 0), groups=4)
    torch.testing.assert_close(ams(x), apart)
    torch.testing.assert_close(ams.as_convolution()(x), apart)


def test_every_part_of_the_kernel_learns():
    torch.manual_seed(0)
    ams = ComposedAMS(3)
    ams(torch.randn(2, 3, 9, 9).contiguous(memory_format=torch.channels_last)).square().sum().backward()
    assert len(list(ams.parameters())) == 8
    assert all(parameter.grad is not None and parameter.grad.abs().min() > 0 for parameter in ams.parameters())


@pytest.mark.parametrize(
    "block", [LiteAMSE(8), LiteAMSE(8, "plain", 5), GatedAMSE(8), ResidualConv(8), ResidualConv(8, 2)], ids=repr
)
def test_a_block_has_one_residual_and_closes_with_an_activation(block):
    torch.manual_seed(0)
    block.eval()
    for name, parameter in block.named_parameters():
        if name.endswith("weight") and parameter.dim() == 1:  # of the norms: the branch is nothing
            nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 7, 5)
    torch.testing.assert_close(block(x), x.relu())
