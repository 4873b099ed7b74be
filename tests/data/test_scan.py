"""One look at every file of a data set."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from amsunet.data.layout import Sample
from amsunet.data.scan import scan_samples


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_mean_and_deviation_are_those_of_the_pixels(save, tmp_path, kind):
    rng = np.random.default_rng(0)
    image = rng.normal(0.4, 0.1, (60, 50)).clip(0, 1)
    top = np.iinfo(kind).max if kind != "float32" else 1
    image = (image * top).astype(kind)
    path = save(tmp_path / ("a.tif" if kind == "float32" else "a.png"), image)
    mask = save(tmp_path / "m.png", np.zeros((60, 50), np.uint8))
    (scan,), problems = scan_samples([Sample("a", path, {"mask": mask})])
    assert not problems
    assert scan.mean == pytest.approx((image.astype(float) / top).mean(), abs=1e-9)
    assert scan.std == pytest.approx((image.astype(float) / top).std(), abs=1e-9)


def test_colours_are_measured_apart(save, tmp_path):
    image = np.random.default_rng(0).integers(0, [10, 100, 250], (60, 50, 3), np.uint8)
    path = save(tmp_path / "a.png", image)
    mask = save(tmp_path / "m.png", np.zeros((60, 50), np.uint8))
    (scan,), _ = scan_samples([Sample("a", path, {"mask": mask})])
    assert scan.mean == pytest.approx(image.reshape(-1, 3).mean(axis=0) / 255)
    assert scan.std == pytest.approx(image.reshape(-1, 3).std(axis=0) / 255)
    small = np.asarray(Image.fromarray(image.mean(axis=2, dtype=np.float32)).resize((16, 16), Image.Resampling.BOX))
    centred = small - small.mean()
    assert scan.thumbnail == pytest.approx(centred / np.linalg.norm(centred), abs=1e-5)


def test_progress_tells_how_many_there_are(save, tmp_path):
    samples = []
    for name in "abc":
        path = save(tmp_path / f"{name}.png", np.full((8, 8), 9, np.uint8))
        samples.append(Sample(name, path, {"mask": path}))
    seen = []
    scan_samples(samples, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
