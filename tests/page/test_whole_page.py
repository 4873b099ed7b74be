"""The page as people get it, with a real network: what it counts and saves is what ``predict`` counts and saves."""

from __future__ import annotations

import csv
import io
import threading

import numpy as np
import pytest
from PIL import Image

import amsunet
from amsunet.data.images import read_image
from amsunet.deployment.page_files import page_files
from amsunet.deployment.web import networks_of
from amsunet.inference.model_ref import ModelRef
from amsunet.interchange.objects_table import object_columns
from amsunet.serving.page_server import PageServer

FEW = 2
"""Pixels so close to the threshold that the last bit of a sum decides."""


def test_the_example_is_worked_on_as_predict_does(chromium, tmp_path):
    networks = networks_of([ModelRef.resolve("zoo:nuclei")])
    files = page_files(networks, level=1)
    image = tmp_path / "nuclei.png"
    image.write_bytes(files["examples/nuclei.png"])
    expected = amsunet.load(networks[0].path).predict(image)
    with PageServer(files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = chromium.new_context(accept_downloads=True, locale="en-US").new_page()
        page.set_default_timeout(200_000)
        page.goto(server.address)
        page.click(".examples button")
        page.wait_for_selector("#strip li:is([data-state=done], [data-state=check])")
        page.wait_for_selector(".dice b")
        saved = {}
        for button in ("Mask", "Counts, CSV", "Objects, CSV", "Labels, TIFF"):
            with page.expect_download() as download:
                page.click(f".saves button:has-text('{button}')")
            saved[button] = download.value.path().read_bytes()
        assert float(page.inner_text(".dice b")) > 0.9
        page.context.close()
        server.shutdown()
    assert (np.asarray(Image.open(io.BytesIO(saved["Mask"]))) != expected.to_mask()).sum() <= FEW
    (row,) = csv.DictReader(io.StringIO(saved["Counts, CSV"].decode("utf-8-sig")))
    assert int(row["objects"]) == len(expected.objects)
    assert int(row["area_px"]) == pytest.approx((expected.mask == 1).sum(), abs=FEW)
    assert float(row["uncertainty"]) == pytest.approx(expected.uncertainty, abs=1e-3)
    rows = list(csv.DictReader(io.StringIO(saved["Objects, CSV"].decode("utf-8-sig"))))
    columns = object_columns(expected, expected.objects, read_image(image), ())
    for name in ("area_px", "centroid_row", "mean_intensity"):
        assert [float(row[name]) for row in rows] == pytest.approx(columns[name], abs=FEW)
    with Image.open(io.BytesIO(saved["Labels, TIFF"])) as labels:
        assert (np.asarray(labels) != expected.objects.numbers).sum() <= FEW
