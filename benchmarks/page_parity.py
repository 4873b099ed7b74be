"""What the page gives against ``predict``: the zoo's networks, the same files, in Chromium and in Python.

    python benchmarks/page_parity.py [--networks nuclei ...] [--images rgb ...] [--out results/page_parity.json]

It ends with 1 where the two differ by more than rounding does: `make parity` runs all of it before every change.
Needs Chromium, Playwright and ONNX Runtime. Both sides run the networks that the wheel carries as ONNX.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import http.server
import importlib.metadata
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from browser_arrays import given, run, taken
from page_images import make_images

import amsunet
from amsunet.atomic_io import write_json
from amsunet.data.images import Array, read_image
from amsunet.device import choose_device, environment
from amsunet.inference.model_ref import ModelRef
from amsunet.zoo import zoo_names

RESULT = Path(__file__).parents[1] / "results" / "page_parity.json"
SOURCES = Path(amsunet.__file__).parent / "page"
NETWORKS = tuple(zoo_names())
LIMITS = {
    "levels_that_differ": 1e-3,
    "largest_difference_of_levels": 1,
    "largest_difference_of_probability": 1e-4,
    "labels_that_differ_by_more_than_rounding": 0,
    "difference_of_uncertainty": 1e-5,
}
"""Levels that differ are a share of all. A label may differ where a probability is the threshold to its last digits."""
_OPEN = """
const {Engine} = await import("/engine.js");
window.engines ??= {};
window.engines[$[0].name] = await Engine.open($[0]);
"""
_PREDICT = """
const {decode} = await import("/decode.js");
const {toLabels} = await import("/finish.js");
const {prepare, smallestIn} = await import("/prepare.js");
const {uncertaintyOf} = await import("/uncertainty.js");
const engine = window.engines[$[0]];
const description = {...engine.description, preprocessing: {...engine.description.preprocessing}};
const {classes, height, width, probability, outOfDistribution, polarity} = await engine.predict(given($[1]), $[2]);
const smallest = smallestIn(description, height, width);
const labels = toLabels(probability, classes.length, height, width, description.threshold, smallest);
const uncertainty = uncertaintyOf(probability, labels, classes.length);
if (polarity) description.preprocessing.polarity = polarity;
const {planes} = await prepare(await decode(given($[1]), $[2]), description);
return {
  levels: packed(Uint8Array.from(planes)), probability: packed(probability), labels: packed(labels),
  outOfDistribution, polarity, uncertainty,
};
"""
_ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""As the page's own server sends them, for as many threads."""
_OTHER = {"bright-on-dark": "dark-on-bright", "dark-on-bright": "bright-on-dark", "": ""}


def onnx_of(network: str) -> Path:
    """The file of a network of the zoo."""
    return ModelRef.resolve(f"zoo:{network}").weights.with_suffix(".onnx")


def open_network(page: Any, network: str) -> None:
    """Open a network in a page, which keeps it under its name."""
    content = onnx_of(network).read_bytes()
    entry = {
        "name": network,
        "file": f"networks/{network}.onnx.gz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "card": None,
        "work": 1,
    }
    page.route(f"**/{entry['file']}", lambda route: route.fulfill(body=gzip.compress(content, 1)))
    if failure := run(page, _OPEN, entry):
        raise RuntimeError(failure)


def compare(page: Any, network: str, predictor: amsunet.Predictor, path: Path) -> dict[str, Any]:
    """One image through one network, in the page and here: by how much they differ, and whether their doubts do."""
    image = read_image(path)
    prepared = predictor.prepare(image, path.stem)
    (view,) = prepared.views.values()
    expected = predictor.predict(path)
    found = run(page, _PREDICT, network, given(path.read_bytes()), path.name)
    levels = np.abs(taken(found["levels"]).reshape(view.shape).astype(int) - view)
    probability = taken(found["probability"]).reshape(expected.probability.shape)
    labels = taken(found["labels"]).reshape(expected.mask.shape)
    taken_as = _OTHER[expected.polarity.partition('polarity="')[2].rstrip('"')]
    differences = np.abs(probability - expected.probability)
    differs = labels != expected.mask
    near = _margin(expected.probability, predictor.description.threshold) <= differences.max()
    return {
        "levels_that_differ": np.count_nonzero(levels) / levels.size,
        "largest_difference_of_levels": int(levels.max()),
        "largest_difference_of_probability": float(differences.max()),
        "labels_that_differ": int(differs.sum()),
        "labels_that_differ_by_more_than_rounding": int((differs & ~near).sum()),
        "difference_of_uncertainty": abs(found["uncertainty"] - expected.uncertainty),
        "same_doubts": (found["outOfDistribution"], found["polarity"]) == (expected.out_of_distribution, taken_as),
    }


def _margin(probability: Array, threshold: float) -> Array:
    """How far the probabilities of each pixel are from those of another label."""
    if len(probability) == 2:
        return np.abs(probability[1] - threshold)
    second, first = np.partition(probability, -2, axis=0)[-2:]
    return (first - second) / 2


def find_faults(row: dict[str, Any]) -> list[str]:
    """In what a row of ``compare`` is beyond the limits."""
    faults = [f"{name}: {row[name]}, {limit} at most" for name, limit in LIMITS.items() if not row[name] <= limit]
    return faults if row["same_doubts"] else [*faults, "the page and predict are in doubt of different things"]


class _Isolated(http.server.SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        for name, value in _ISOLATION.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _page() -> Iterator[tuple[Any, str]]:
    """An empty page at an address where the page's sources are, and the browser's version."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - tests import this file without Playwright

    if (chromium := shutil.which("chromium")) is None:
        raise SystemExit("needs a browser: apt-get install chromium")
    handler = functools.partial(_Isolated, directory=str(SOURCES))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        blank = {"body": "<!doctype html>", "content_type": "text/html", "headers": _ISOLATION}
        page.route("**/blank", lambda route: route.fulfill(**blank))
        page.goto(f"http://127.0.0.1:{server.server_port}/blank")
        yield page, browser.version
        browser.close()
    server.shutdown()


def summarise(rows: list[dict[str, Any]], browser: str) -> dict[str, Any]:
    """All rows, the worst of them, and what they were measured with."""
    web = re.search(r"onnxruntime-web [\d.]+", (SOURCES / "vendor" / "NOTICE.md").read_text(encoding="utf-8"))
    return {
        "what": "the page in a browser against predict, from the file to the mask, by network and kind of image",
        "command": "python benchmarks/page_parity.py",
        "rows": rows,
        "largest_difference_of_probability": max(row["largest_difference_of_probability"] for row in rows),
        "labels_that_differ": sum(row["labels_that_differ"] for row in rows),
        "runtimes": [f"onnxruntime {importlib.metadata.version('onnxruntime')}", web[0] if web else "unknown"],
        "browser": f"Chromium {browser}",
        "pillow": PIL.__version__,
        "environment": environment(choose_device("cpu", "float32")),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images = make_images()
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS, metavar="NETWORK")
    parser.add_argument("--images", nargs="+", choices=[*images], default=[*images], metavar="KIND")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    rows, faults = [], []
    with tempfile.TemporaryDirectory() as temporary, _page() as (page, version):
        for network in asked.networks:
            predictor = amsunet.load(onnx_of(network))
            open_network(page, network)
            for name in asked.images:
                suffix, content = images[name]
                path = Path(temporary) / f"image{suffix}"
                path.write_bytes(content)
                row = {"network": network, "image": name} | compare(page, network, predictor, path)
                rows.append(row)
                faults += [f"{network}, {name}: {fault}" for fault in find_faults(row)]
                print(*row.values(), flush=True)
    write_json(asked.out, summarise(rows, version))
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
