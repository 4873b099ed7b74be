"""The zoo's networks in the browser, from the file to the mask: what ``predict`` gives, of every kind of image."""

from __future__ import annotations

import functools

import pytest
from page_images import make_images
from page_parity import LIMITS, compare, find_faults, onnx_of, open_network

import amsunet

IMAGES = make_images()
# What a network is given is held by test_page_parity.py, for all of them and all kinds; all of these cases, which take
# minutes, are held by `make parity`.
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
    assert not find_faults(compare(blank_once, network, opened(network), path))


@pytest.mark.parametrize("name", LIMITS)
def test_a_row_beyond_a_limit_is_a_fault(name):
    row = {**LIMITS, "same_doubts": True}
    assert not find_faults(row)
    assert find_faults({**row, "same_doubts": False})
    for worse in (2 * LIMITS[name] + 1e-9, float("nan")):
        (fault,) = find_faults({**row, name: worse})
        assert fault.startswith(name)
