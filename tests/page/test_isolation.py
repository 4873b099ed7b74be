"""Several threads on hosts that send no header for them, and the same numbers from them."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading

import numpy as np
import pytest
from conftest import SOURCES
from made_onnx import write
from test_engine import in_base64, picture

import amsunet

_PAGE = """<!doctype html><script type="module">
import { isolate } from "./isolate.js";
const begun = Number(sessionStorage.getItem("begun")) + 1;
sessionStorage.setItem("begun", begun);
if (!(await isolate())) document.title = `${begun} ${crossOriginIsolated}`;
</script>"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".js": "text/javascript", ".mjs": "text/javascript", "": "text/html"}  # noqa: RUF012
    headers_sent: dict[str, str] = {}  # noqa: RUF012

    def log_message(self, *_):
        pass

    def end_headers(self):
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        super().end_headers()


class _Isolating(_Handler):
    headers_sent = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}  # noqa: RUF012


class _Refusing(_Handler):
    """A host that keeps service workers away."""

    def send_head(self):
        return self.send_error(404) if self.path == "/sw.js" else super().send_head()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    (folder / "start.html").write_text(_PAGE, encoding="utf-8")
    return folder


@pytest.fixture
def visit(chromium, folder):
    """Visit the page on a host of a kind, in a browser that was never there."""
    opened = []

    def visit(handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = chromium.new_context()
        opened.append((server, context))
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/start.html")
        page.wait_for_function("document.title", timeout=60_000)
        return page

    yield visit
    for server, context in opened:
        context.close()
        server.shutdown()


def test_a_service_worker_isolates_the_page_and_threads_compute_the_same(visit, folder):
    page = visit(_Handler)
    assert page.title() == "2 true", "loaded once more"
    network = write(folder)
    (folder / "networks").mkdir()
    (folder / network.entry["file"]).write_bytes(network.packed)
    content, pixels = picture(60, 50)
    threads, probability = page.evaluate(
        """async ([entry, text]) => {
          const { Engine } = await import("/engine.js");
          const engine = await Engine.open(entry);
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const { probability } = await engine.predict(bytes, "image.png");
          return [engine.threads, [...probability]];
        }""",
        [network.entry, in_base64(content)],
    )
    assert threads >= 2
    expected = amsunet.load(network.path).predict(pixels).probability
    np.testing.assert_allclose(np.reshape(probability, expected.shape), expected, atol=1e-5)


def test_a_page_that_its_server_isolates_is_loaded_once_and_has_no_service_worker(visit):
    page = visit(_Isolating)
    assert page.title() == "1 true"
    assert page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)") == 0


def test_a_page_that_cannot_be_isolated_opens_all_the_same(visit):
    assert visit(_Refusing).title() == "1 false"
