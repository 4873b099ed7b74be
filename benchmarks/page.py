"""The page in Chromium: how soon it opens and shows a first mask, how long networks take, and what it asks for.

    python benchmarks/page.py [--sizes 256x256 2000x1500] [--threads 1 2] [--out results/page.json]

Seconds of the clock, and beside them those of all the browser's processors, which say more on a machine that does other
things too. Needs Playwright, axe-playwright-python, Chromium and amsunet[export]; benchmarks/page_parity.py compares
the numbers with Python's.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import hashlib
import http.server
import io
import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from amsunet.atomic_io import write_json
from amsunet.data.builtin_samples import locate
from amsunet.deployment.exporters import ExportModule, write_network
from amsunet.deployment.page_files import PageNetwork, page_files
from amsunet.deployment.web import export_web, networks_of
from amsunet.device import choose_device, environment
from amsunet.inference.model_file import build_network, for_inference
from amsunet.inference.model_metadata import read_description
from amsunet.inference.model_ref import ModelRef
from amsunet.models.cost import count_macs
from amsunet.serving.page_server import PageServer

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "page.json"
NETWORK = "zoo:nuclei_lite"
MODEL = "amsunet_lite"
OTHERS = ("amsunet_lite_xs", "amsunet")
PATIENCE = 3_600_000
_SMALL = 2 * 512**2
"""Pixels; larger images get a preview."""
_DONE = "#strip li:is([data-state=done], [data-state=check])"
OPEN = """async ([entry, threads]) => {
  const { Engine } = await import("/engine.js");
  window.engine?.close();
  window.engine = await Engine.open(entry, { threads });
}"""
PREDICT = """async (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const begun = performance.now();
  let preview = null;
  const onPreview = () => { preview = (performance.now() - begun) / 1000; };
  await engine.predict(bytes, "image", { onPreview });
  return { seconds: (performance.now() - begun) / 1000, preview };
}"""


class _Host(http.server.SimpleHTTPRequestHandler):
    """A host for files that sends no headers of ours."""

    extensions_map = {".js": "text/javascript", ".mjs": "text/javascript", ".html": "text/html", "": "text/plain"}  # noqa: RUF012

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(server: http.server.ThreadingHTTPServer) -> Iterator[str]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Clock:
    """Seconds of the clock, and of processors in all processes of a browser."""

    def __init__(self, browser: Browser) -> None:
        self._session = browser.new_browser_cdp_session()
        self._start = self._now()

    def _now(self) -> tuple[float, float]:
        processes = self._session.send("SystemInfo.getProcessInfo")["processInfo"]
        return time.perf_counter(), sum(one["cpuTime"] for one in processes)

    def start(self) -> None:
        self._start = self._now()

    def read(self) -> dict[str, float]:
        """Since the start."""
        now, before = self._now(), self._start
        return {"seconds": round(now[0] - before[0], 3), "processor_seconds": round(now[1] - before[1], 3)}


def image(width: int, height: int) -> bytes:
    """Nuclei, side by side until the image is full."""
    tile = np.asarray(Image.open(locate("sample:nuclei") / "test/images/nuclei_y256_x384.png", formats=("PNG",)))
    down, across = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    file = io.BytesIO()
    Image.fromarray(np.tile(tile, (down, across))[:height, :width]).save(file, "PNG")
    return file.getvalue()


def visit(browser: Browser, address: str, sizes: list[tuple[int, int]], **options: Any) -> dict[str, Any]:
    """Open the page as somebody does who was never there, and put images into it."""
    context = browser.new_context(**options)
    page = context.new_page()
    schemes: Counter[str] = Counter()
    page.on("request", lambda request: schemes.update([request.url.partition(":")[0]]))
    clock = Clock(browser)
    page.goto(address)
    page.wait_for_selector("#loading", state="hidden", timeout=PATIENCE)
    row: dict[str, Any] = {"ready": clock.read(), "masks": []}
    for number, (width, height) in enumerate(sizes, start=1):
        payload = {"name": f"{number}.png", "mimeType": "image/png", "buffer": image(width, height)}
        clock.start()
        page.set_input_files("#files", [payload])  # type: ignore[list-item]
        mask: dict[str, Any] = {"size": f"{width} x {height}"}
        if width * height > _SMALL:
            page.wait_for_selector("#stage .chip", state="visible", timeout=PATIENCE)
            mask["preview"] = clock.read()
        done = "([done, count]) => document.querySelectorAll(done).length === count"
        page.wait_for_function(done, arg=[_DONE, number], timeout=PATIENCE)
        row["masks"].append(mask | clock.read())
    row["threads"] = page.evaluate(
        "crossOriginIsolated ? Math.min(8, Math.max(2, navigator.hardwareConcurrency >> 1)) : 1"
    )
    row["requests"] = dict(schemes)
    row["accessibility"] = barriers(page)
    context.close()
    return row


def barriers(page: Page) -> dict[str, int]:
    """What axe finds, by how bad it is."""
    found = Axe().run(page).response["violations"]
    return dict(Counter(one["impact"] for one in found))


def measure_forms(browser: Browser, folder: Path, sizes: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """The page as one file, as a folder on a host that knows nothing of it, and from the package."""
    file = export_web(NETWORK, one_file=True, out=folder / "page.html")
    export_web(NETWORK, out=folder / "page")
    host = functools.partial(_Host, directory=str(folder / "page"))
    rows = [{"form": "file", "bytes": file.bytes} | visit(browser, file.path.as_uri(), sizes)]
    print(rows[-1], flush=True)
    for form, options in (("folder", {"service_workers": "block"}), ("folder, service worker", {})):
        with served(http.server.ThreadingHTTPServer(("127.0.0.1", 0), host)) as address:
            rows.append({"form": form} | visit(browser, address, sizes, **options))
            print(rows[-1], flush=True)
    with served(PageServer(page_files(networks_of([ModelRef.resolve(NETWORK)]), level=1))) as address:
        rows.append({"form": "package"} | visit(browser, address, sizes))
        print(rows[-1], flush=True)
    return rows


def write_other(
    name: str, folder: Path, model: str | None = None, options: Mapping[str, Any] | None = None
) -> PageNetwork:
    """A network of the same kind that was not trained, which takes no less time.

    Args:
        name: What it is called.
        folder: To write it into.
        model: Its model, where that is not its name.
        options: Of the model.
    """
    known = read_description(ModelRef.resolve(NETWORK).weights)
    assert known is not None
    network = build_network(model or name, {**known.arguments, **(options or {})}).eval()
    whole = ExportModule(for_inference(network), known.preprocessing.mean, known.preprocessing.std)
    path = folder / f"{name}.onnx"
    write_network(whole, path, "onnx", "float32", description=known.model_dump_json())
    return PageNetwork(name, path)


def measure_networks(
    browser: Browser, folder: Path, sizes: list[tuple[int, int]], threads: list[int]
) -> list[dict[str, Any]]:
    """Networks alone, after a run to warm up."""
    inside = [*networks_of([ModelRef.resolve(NETWORK)]), *(write_other(name, folder) for name in OTHERS)]
    rows = []
    with served(PageServer(page_files(inside, level=1))) as address, torch.no_grad():
        page = browser.new_page()
        page.goto(f"{address}empty")
        entries = page.evaluate("() => fetch('/networks.json').then((answer) => answer.json())")
        for entry in entries:
            name = MODEL if entry["name"] == NETWORK else entry["name"]
            entry["work"] = entry["work"] or count_macs(build_network(name, {"num_classes": 2}), 256, 256) / 256**2
            for count in threads:
                clock = Clock(browser)
                page.evaluate(OPEN, [entry, count])
                row = {"network": name, "threads": count, "open": clock.read(), "runs": []}
                for width, height in [(64, 64), *sizes]:
                    content = base64.b64encode(image(width, height)).decode()
                    clock.start()
                    run = page.evaluate(PREDICT, content)
                    row["runs"].append({"size": f"{width} x {height}"} | clock.read() | run)
                rows.append(row)
                print(row, flush=True)
        page.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["256x256", "2000x1500"], help="width x height of images")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    sizes = [(int(width), int(height)) for width, height in (size.split("x") for size in asked.sizes)]
    threads = [str(count) for count in asked.threads]
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        folder = Path(temporary)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        result = {
            "what": "the page in Chromium: seconds of the clock and of processors, what it asks for, what axe finds",
            "command": f"python benchmarks/page.py --sizes {' '.join(asked.sizes)} --threads {' '.join(threads)}",
            "data": "an image of sample:nuclei, side by side until the size is full",
            "browser": f"Chromium {browser.version}",
            "network": f"{NETWORK}, {hashlib.sha256(ModelRef.resolve(NETWORK).weights.read_bytes()).hexdigest()[:12]}",
            "forms": measure_forms(browser, folder, sizes),
            "networks": measure_networks(browser, folder, sizes, asked.threads),
            "load": os.getloadavg()[2],
            "environment": environment(choose_device("cpu")),
        }
        browser.close()
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
