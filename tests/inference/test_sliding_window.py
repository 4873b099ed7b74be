"""Where tiles lie, what they weigh, and what a network gives for them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from amsunet.inference.sliding_window import STEP, Axis, Tiling
from amsunet.models import create_model
from amsunet.models.cost import receptive_field

_SMALL = Tiling(tile=96, overlap=20)


@pytest.mark.parametrize("side", [1, 40, 95, 96, 97, 160, 161, 500, 1000])
@pytest.mark.parametrize("tiling", [_SMALL, Tiling(tile=128, overlap=64, rim=32)])
def test_tiles_cover_a_side_begin_at_strides_and_overlap(side, tiling):
    axis = Axis(side, tiling)
    places = [axis.place(tile) for tile in range(len(axis))]
    assert (places[0].start, places[-1].stop) == (0, side)
    assert all(place.start % STEP == 0 and place.stop - place.start <= tiling.tile for place in places)
    assert all(place.stop - place.start > min(tiling.tile, side) - STEP for place in places)
    assert all(one.stop - two.start >= tiling.overlap for one, two in itertools.pairwise(places[:-1]))
    assert all(one.stop > two.start for one, two in itertools.pairwise(places))
    weights = np.zeros(side)
    for tile, place in enumerate(places):
        weights[place] += axis.weights(tile)
    np.testing.assert_allclose(weights, axis.sums, rtol=1e-5)
    assert (weights > 0).all()


def test_weights_fade_to_nothing_inside_the_image_and_leave_out_the_rim():
    axis = Axis(400, _SMALL)
    assert axis.weights(1)[[0, -1]].max() < 1e-3 * axis.weights(1).max()
    assert np.array_equal(axis.weights(1), axis.weights(1)[::-1])
    rimmed = Axis(400, Tiling(tile=128, overlap=64, rim=32))
    for tile in range(len(rimmed)):
        weights = rimmed.weights(tile)
        assert (weights[:32] == 0).all() == (tile > 0), "the image's own border counts"
        assert (weights[-32:] == 0).all() == (tile + 1 < len(rimmed))


def test_a_rim_that_leaves_gaps_is_refused():
    with pytest.raises(ValueError, match="twice the rim"):
        Axis(400, Tiling(tile=128, overlap=32, rim=40))


def test_images_are_cut_from_the_limit_on():
    tiling = Tiling(tile=64, whole=100 * 100)
    assert not tiling.cuts(100, 100) and tiling.cuts(100, 101)
    assert not Tiling(tile=64, whole=0).cuts(64, 64), "a tile is never cut"


class _AsInTheWholeImage(TorchFunctionMode):
    """Keeps what the whole image gives to a network's global averages, and hands it to the tiles.

    Args:
        size: height and width of the whole image.
        place: of a tile in it; the whole image itself when left out.
        known: what the whole image left.
        aligned: also upsample a tile where it lies in the image: with aligned corners, positions depend on the size.
    """

    def __init__(self, size, place=None, known=(), *, averages=True, aligned=True):
        super().__init__()
        self.known = []
        self._size, self._place, self._left = size, place, list(known)
        self._averages, self._aligned = averages, aligned

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.interpolate:
            assert kwargs["align_corners"]
            return self._upsample(args[0], kwargs)
        out = func(*args, **kwargs)
        if func is Tensor.mean and out.dim() == 4 and out.shape[-2:] == (1, 1):
            if self._place is not None:
                whole = self._left.pop(0)
                return whole if self._averages else out
            self.known.append(out)
        return out

    def _upsample(self, x, kwargs):
        if self._place is None:
            self.known.append(x.shape[-2:])
            return F.interpolate(x, **kwargs)
        whole = self._left.pop(0)
        if not self._aligned:
            return F.interpolate(x, **kwargs)
        for dim, part, side, coarse in zip((2, 3), self._place, self._size, whole, strict=True):
            count, begin = x.shape[dim], part.start * coarse // side
            at = (torch.arange(2 * count).double() + 2 * begin) * (coarse - 1) / (2 * coarse - 1) - begin
            low = at.floor().long().clamp(0, count - 1)
            between = (at - low).clamp(0, 1).to(x.dtype).view(-1, *(1,) * (3 - dim))
            high = (low + 1).clamp(max=count - 1)
            x = torch.lerp(x.index_select(dim, low), x.index_select(dim, high), between)
        return x


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = create_model("amsunet", in_channels=1, base_channels=4).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias)
    torch.nn.init.normal_(network.head.weight, std=3.0)
    return network


def _largest_difference(network, tiling, **held):
    """Between the logits of tiles and those of the whole image, in standard deviations of these."""
    height, width = 48, 2016
    # Brighter from left to right, so that tiles have averages of their own.
    image = torch.randn(1, 1, height, width, generator=torch.Generator().manual_seed(1))
    image += torch.linspace(-3, 3, width)
    with torch.no_grad():
        with _AsInTheWholeImage((height, width)) as mode:
            whole = network(image)[0].numpy()
        axis, total = Axis(width, tiling), np.zeros_like(whole)
        assert len(axis) > 2
        for tile in range(len(axis)):
            place = slice(0, height), axis.place(tile)
            with _AsInTheWholeImage((height, width), place, mode.known, **held):
                total[..., place[1]] += network(image[..., place[1]])[0].numpy() * axis.weights(tile)
    return float(np.abs(total / axis.sums - whole).max() / whole.std())


def test_with_gates_held_tiles_that_cover_the_receptive_field_equal_the_whole(network):
    """The overlap follows from the network. Besides RSC's averages, the decoder's upsampling must be held: with aligned
    corners it lies elsewhere in a tile. Whatever is not held, or a smaller overlap, shows.
    """
    covering = Tiling.covering(receptive_field(network, in_channels=1), step=192)
    assert _largest_difference(network, covering) < 1e-4
    assert _largest_difference(network, Tiling(tile=512, overlap=128)) > 1e-3
    assert _largest_difference(network, covering, averages=False) > 1e-3
    assert _largest_difference(network, covering, aligned=False) > 1e-3


def test_a_network_without_either_needs_nothing_held():
    torch.manual_seed(0)
    network = create_model("unext", in_channels=1).eval()
    covering = Tiling.covering(receptive_field(network, in_channels=1), step=192)
    axis = Axis(1216, covering)
    image = torch.randn(1, 1, 32, 1216)
    with torch.no_grad():
        whole = network(image)[0].numpy()
        total = np.zeros_like(whole)
        for tile in range(len(axis)):
            total[..., axis.place(tile)] += network(image[..., axis.place(tile)])[0].numpy() * axis.weights(tile)
    assert len(axis) > 1
    np.testing.assert_allclose(total / axis.sums, whole, atol=1e-4)
