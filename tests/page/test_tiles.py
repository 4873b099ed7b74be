"""Tiles and their blending, against the package's own."""

from __future__ import annotations

import numpy as np
import pytest

from amsunet.inference.forward import compute_logits
from amsunet.inference.sliding_window import Axis, Tiling

# A network of which a tile gives something else than the image does.
_RUN = """({values, channels, width, height}) => {
  const out = new Float32Array(2 * width * height);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  for (let place = 0; place < width * height; place++) {
    out[place] = values[place] - mean;
    out[width * height + place] = 2 * values[place] + (place % width) - Math.floor(place / width);
  }
  return Promise.resolve({ values: out, channels: 2, width, height });
}"""


def _run(images):
    *_, height, width = images.shape
    values = images[:, 0].astype(np.float64)
    place = np.arange(width)[None, :] - np.arange(height)[:, None]
    return np.stack([values - images.mean(), 2 * values + place], 1).astype(np.float32)


@pytest.mark.parametrize(("width", "height"), [(31, 200), (5, 3), (1024, 1024), (1025, 1024), (1500, 801), (2600, 500)])
def test_logits_are_the_package_s_whole_and_in_tiles(blank, width, height):
    got = blank.evaluate(
        f"""async ([width, height]) => {{
          const {{ computeLogits }} = await import("/tiles.js");
          const values = Float32Array.from({{ length: 3 * width * height }}, (_, place) => (place * 7919) % 251);
          const logits = await computeLogits({_RUN}, {{ values, channels: 3, width, height }});
          const some = Array.from({{ length: 2000 }}, (_, one) => (one * 104729) % logits.values.length);
          return [logits.width, logits.height, some.map((place) => logits.values[place])];
        }}""",
        [width, height],
    )
    image = (np.arange(3 * width * height, dtype=np.int64) * 7919 % 251).astype(np.uint8)
    expected = compute_logits(_Network(), image.reshape(1, 3, height, width)).ravel()
    assert got[:2] == [width, height]
    some = np.arange(2000, dtype=np.int64) * 104729 % expected.size
    np.testing.assert_allclose(got[2], expected[some], atol=2e-3)


class _Network:
    name = "test"

    def __call__(self, images):
        return _run(images)


@pytest.mark.parametrize("side", [1, 100, 512, 513, 544, 900, 2000, 8001])
def test_tiles_lie_and_weigh_as_the_package_s(blank, side):
    starts, ends, sums = blank.evaluate(
        """side => import("/tiles.js").then(({ Axis }) => {
          const axis = new Axis(side);
          return [axis.starts, axis.ends, [...axis.sums]];
        })""",
        side,
    )
    axis = Axis(side, Tiling())
    assert (starts, ends) == (axis.starts, axis.ends)
    np.testing.assert_allclose(sums, axis.sums, rtol=1e-5)


@pytest.mark.parametrize(
    ("width", "height", "pixels", "preview"),
    [
        (256, 256, 256 * 256, False),
        (10, 40, 32 * 40, False),
        (1000, 500, 500_000, False),
        (1000, 1000, 1_000_000 + 512 * 512, True),
        (2000, 1500, 5 * 4 * 512 * 512, True),
    ],
)
def test_work_is_what_the_network_sees(blank, width, height, pixels, preview):
    got = blank.evaluate(
        "([width, height]) => import('/tiles.js').then(({ workOf }) => workOf(width, height))", [width, height]
    )
    assert got["preview"] is preview
    assert got["pixels"] == pytest.approx(pixels, rel=0.1)


def test_a_preview_is_made_of_the_means_of_what_it_covers(blank):
    small = blank.evaluate(
        """() => import("/tiles.js").then(({ shrink }) => {
          const values = Float32Array.from({ length: 2 * 6 * 4 }, (_, place) => place);
          const { width, height, channels, values: means } = shrink({ values, channels: 2, width: 6, height: 4 }, 3);
          return [width, height, channels, [...means]];
        })"""
    )
    whole = np.arange(48, dtype=np.float32).reshape(2, 4, 6)
    means = whole.reshape(2, 2, 2, 3, 2).mean((2, 4))
    assert small == [3, 2, 2, means.ravel().tolist()]
