"""A real browser, and the page's own modules in it."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import amsunet

SOURCES = Path(amsunet.__file__).parent / "page"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}  # noqa: RUF012

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright; a test that needs it skips where it is not found."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    if CHROMIUM is None:
        pytest.skip("needs a browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sources() -> Iterator[str]:
    """The address at which the page's sources are served as they are, for tests of single modules."""
    handler = functools.partial(_Quiet, directory=str(SOURCES))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextmanager
def _blank(chromium: Any, sources: str) -> Iterator[Any]:
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/blank", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(f"{sources}/blank")
    yield page
    context.close()


@pytest.fixture
def blank(chromium, sources) -> Iterator[Any]:
    """An empty page of that address: ``blank.evaluate("import('/finish.js').then(m => m.something(...))")``."""
    with _blank(chromium, sources) as page:
        yield page


@pytest.fixture(scope="module")
def blank_once(chromium, sources) -> Iterator[Any]:
    """The same for all tests of a file, which leave nothing behind in it."""
    with _blank(chromium, sources) as page:
        yield page
