"""What passes through memory, against what is worked out by hand."""

from __future__ import annotations

from torch import nn
from traffic import count_traffic


def test_traffic_is_counted_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1, bias=False))
    pixels = 10 * 20
    first, second = 3 * pixels + 8 * 3 * 9 + 8 + 8 * pixels, 8 * pixels + 2 * 8 + 2 * pixels
    assert count_traffic(layers, 10, 20) == first + second
