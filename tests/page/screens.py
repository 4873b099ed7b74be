"""The page with a stand-in for its engine, and images made for it."""

from __future__ import annotations

import io
import json
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import amsunet
from amsunet.zoo import read_card

SOURCES = Path(amsunet.__file__).parent / "page"
STAND_IN = Path(__file__).parent / "standins" / "engine.js"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""Stricter than what the page is handed out with: nothing inline runs and nothing inline paints."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
SQUARES = {(5, 5, 15, 15): 200, (10, 30, 14, 36): 200, (40, 0, 43, 3): 200, (25, 40, 30, 45): 58}
"""Top, left, bottom, right, and the brightness; the last one is foreground up to a threshold of 0.62."""
SHAPE = 48, 64


def made_image() -> np.ndarray:
    image = np.full(SHAPE, 20, np.uint8)
    for (top, left, bottom, right), value in SQUARES.items():
        image[top:bottom, left:right] = value
    return image


def as_png(image: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def upload(name: str, content: bytes | None = None) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": as_png(made_image()) if content is None else content}


def _network(name: str, card: str | None = None) -> dict[str, Any]:
    known = read_card(card).model_dump(mode="json", exclude={"seen", "thumbnails"}) if card else None
    return {"name": name, "file": "", "sha256": "", "bytes": 1, "work": 1, "card": known}


NETWORKS = [_network("zoo:nuclei", "nuclei"), _network("zoo:lesions", "lesions"), _network("two classes")]
EXAMPLE = {"name": "nuclei", "file": "examples/made.png", "mask": "examples/made_mask.png", "networks": ["zoo:nuclei"]}
EXAMPLES = [{**EXAMPLE, "terms": "CC0"}]


@contextmanager
def open_screen(chromium: Any, sources: str, **options: Any) -> Iterator[Any]:
    """The page, ready; what its console complains of fails the test in the end."""
    context = chromium.new_context(accept_downloads=True, locale="en-US", **options)
    page = context.new_page()
    page.set_default_timeout(60_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
    start = SOURCES / "index.html"
    answers = {
        "index.html": start.read_bytes(),
        "networks.json": json.dumps(NETWORKS).encode(),
        "examples.json": json.dumps(EXAMPLES).encode(),
        "examples/made.png": as_png(made_image()),
        "examples/made_mask.png": as_png(np.where(made_image() > 100, 255, 0).astype(np.uint8)),
        "engine.js": STAND_IN.read_bytes(),
    }

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix(f"{sources}/")
        if path in answers:
            kind = mimetypes.guess_type(path)[0]
            route.fulfill(body=answers[path], content_type=kind, headers=HEADERS)
        else:
            route.continue_()

    page.route(f"{sources}/**", answer)
    page.goto(f"{sources}/index.html")
    page.wait_for_selector("#loading", state="hidden")
    yield page
    context.close()
    assert not complaints, complaints


def finished(page: Any, count: int = 1) -> None:
    """Wait until so many images have been worked on."""
    done = ", ".join(f"#strip li[data-state={state}]" for state in ("done", "check", "failed"))
    page.locator(done).nth(count - 1).wait_for(state="attached")
    drawn(page)


def drawn(page: Any) -> None:
    """Wait until what was asked for is on the screen."""
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
