"""The zoo's networks in the browser, from the file to the mask: what ``predict`` gives, of every kind of image."""

from __future__ import annotations

import functools

import pytest
from page_images import make_images
from page_parity import compare, onnx_of, open_network

import amsunet

IMAGES = make_images()
# What a network is given is held by test_page_parity.py, for all of them and all kinds; all of these cases, which take
# minutes, are measured by benchmarks/page_parity.py.
KINDS = ("grey", "rgb", "16 bits", "dark", "33 x 47", "31 x 200", "fractions")
CASES = [
    *(("nuclei", image) for image in KINDS),
    *((network, "rgb") for network in ("glands", "lesions", "vessels")),
]


@pytest.fixture(scope="module")
def opened(blank_once):
    """Opens a network in the page and here, the first time that it is asked for."""
    pytest.importorskip("onnxruntime", reason='needs ONNX Runtime: pip install "amsunet[export]"')

    @functools.cache
    def once(network):
        open_network(blank_once, network)
        return amsunet.load(onnx_of(network))

    return once


@pytest.mark.parametrize(("network", "image"), CASES)
def test_probabilities_and_masks_are_those_of_predict(network, image, blank_once, opened, tmp_path):
    suffix, content = IMAGES[image]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    found = compare(blank_once, network, opened(network), path)
    assert found["largest_difference_of_levels"] <= 1 and found["levels_that_differ"] <= 1e-3
    assert found["largest_difference_of_probability"] < 1e-4
    assert found["labels_that_differ"] <= 1  # a probability may be the threshold, to six digits
    assert found["difference_of_uncertainty"] < 1e-5
    assert found["same_doubts"]
