"""The zoo's networks in the browser, from the file to the mask: what ``predict`` gives, of every kind of image."""

from __future__ import annotations

import pytest
from browser_arrays import run
from page_images import make_images
from page_parity import NETWORKS, SOURCES, compare, onnx_of, open_network

import amsunet

IMAGES = make_images()
LARGE = "2,000 x 1,500"
SMALL = [name for name in IMAGES if name != LARGE]
# `vessels` sees every image in 330,000 pixels, and only `lesions` sees the large one in few: more takes minutes, and
# benchmarks/page_parity.py has measured it.
CASES = [
    *((network, image) for network in ("nuclei", "glands", "lesions") for image in SMALL),
    ("lesions", LARGE),
    *(("vessels", image) for image in ("rgb", "33 x 47")),
]

pytestmark = pytest.mark.skipif(
    not (SOURCES / "engine.js").exists() or not all(onnx_of(name).exists() for name in NETWORKS),
    reason="needs the page's engine, and the zoo's networks as ONNX: python tools/export_zoo_onnx.py",
)


@pytest.fixture(scope="module")
def network(request, blank_once):
    """A network, open in the page and here."""
    pytest.importorskip("onnxruntime", reason='needs ONNX Runtime: pip install "amsunet[export]"')
    open_network(blank_once, request.param)
    yield request.param, amsunet.load(onnx_of(request.param))
    run(blank_once, "window.engines[$[0]].close(); delete window.engines[$[0]];", request.param)


@pytest.mark.parametrize(("network", "image"), CASES, indirect=["network"])
def test_probabilities_and_masks_are_those_of_predict(network, image, blank_once, tmp_path):
    suffix, content = IMAGES[image]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    found = compare(blank_once, *network, path)
    assert found["largest_difference_of_levels"] <= 1 and found["levels_that_differ"] <= 1e-3
    assert found["largest_difference_of_probability"] < 1e-4
    # A probability may be the threshold, to six digits: of a million pixels one is.
    assert found["labels_that_differ"] <= (2 if image == LARGE else 1)
    assert found["difference_of_uncertainty"] < 1e-5
    assert found["same_doubts"]
