"""The zoo's networks in the browser, from the file to the mask: what ``predict`` gives, of every kind of image."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
from browser_arrays import given, run, taken
from conftest import SOURCES
from made_images import make_images

import amsunet
from amsunet.inference.model_ref import ModelRef

NETWORKS = ("nuclei", "glands", "lesions", "vessels")
ONNX = {name: ModelRef.resolve(f"zoo:{name}").weights.with_suffix(".onnx") for name in NETWORKS}
IMAGES = make_images()
# The others see so large an image in millions of pixels, which takes them a minute and more.
LARGE = {"2,000 x 1,500": ("lesions",)}
_OPEN = """
const {Engine} = await import("/engine.js");
window.engines ??= {};
window.engines[$[0].name] ??= await Engine.open($[0], {threads: 1});
"""
_PREDICT = """
const {toLabels} = await import("/finish.js");
const {smallestIn} = await import("/prepare.js");
const {uncertaintyOf} = await import("/uncertainty.js");
const engine = window.engines[$[0]];
const found = await engine.predict(given($[1]), $[2]);
const {classes, height, width, probability, outOfDistribution, polarity} = found;
const smallest = smallestIn(engine.description, height, width);
const labels = toLabels(probability, classes.length, height, width, engine.description.threshold, smallest);
const uncertainty = uncertaintyOf(probability, labels, classes.length);
return {probability: packed(probability), labels: packed(labels), outOfDistribution, polarity, uncertainty};
"""

pytestmark = pytest.mark.skipif(
    not (SOURCES / "engine.js").exists() or not all(path.exists() for path in ONNX.values()),
    reason="needs the page's engine, and the zoo's networks as ONNX: python tools/export_zoo_onnx.py",
)


@pytest.fixture(scope="module")
def predictors():
    pytest.importorskip("onnxruntime", reason='needs ONNX Runtime: pip install "amsunet[export]"')
    return {name: amsunet.load(path) for name, path in ONNX.items()}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, blank_once):
    """A network, open in the page."""
    content = ONNX[request.param].read_bytes()
    entry = {
        "name": request.param,
        "file": f"networks/{request.param}.onnx.gz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "card": None,
        "work": 1,
    }
    blank_once.route(f"**/{entry['file']}", lambda route: route.fulfill(body=gzip.compress(content, 1)))
    assert run(blank_once, _OPEN, entry) is None
    yield request.param
    run(blank_once, "window.engines[$[0]].close(); delete window.engines[$[0]];", request.param)


@pytest.mark.parametrize("image", IMAGES)
def test_probabilities_and_masks_are_those_of_predict(network, image, blank_once, predictors, tmp_path):
    if network not in LARGE.get(image, NETWORKS):
        pytest.skip(f"takes {network} a minute and more")
    suffix, content = IMAGES[image]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(content)
    expected = predictors[network].predict(path)
    found = run(blank_once, _PREDICT, network, given(content), path.name)
    probability = taken(found["probability"]).reshape(expected.probability.shape)
    assert np.abs(probability - expected.probability).max() < 1e-4
    assert np.array_equal(taken(found["labels"]).reshape(expected.mask.shape), expected.mask)
    assert found["uncertainty"] == pytest.approx(expected.uncertainty, abs=1e-5)
    assert found["outOfDistribution"] == expected.out_of_distribution
    assert (
        found["polarity"]
        == {"": "", "bright-on-dark": "dark-on-bright", "dark-on-bright": "bright-on-dark"}[
            expected.polarity.partition('polarity="')[2].rstrip('"')
        ]
    )
