"""Files of the page: from a folder, from the single file, whole or damaged."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest

_NETWORK = b"a network" * 1000
_ENTRY = {
    "name": "runs/a",
    "file": "networks/a.gz",
    "sha256": hashlib.sha256(_NETWORK).hexdigest(),
    "bytes": len(_NETWORK),
}
_OPEN = """entry => import("/resources.js").then(async ({ openNetwork }) => {
  const seen = [];
  try {
    const bytes = await openNetwork(entry, (fraction) => seen.push(fraction));
    return { text: new TextDecoder().decode(bytes), last: seen.at(-1) };
  } catch (error) {
    return { code: error.code, values: error.values };
  }
})"""


def _serve(page, content):
    page.route("**/networks/a.gz", lambda route: route.fulfill(body=content, content_type="application/gzip"))


@pytest.mark.parametrize("content", [gzip.compress(_NETWORK), _NETWORK], ids=["packed", "unpacked on the way"])
def test_a_network_comes_from_the_folder(blank, content):
    _serve(blank, content)
    assert blank.evaluate(_OPEN, _ENTRY) == {"text": _NETWORK.decode(), "last": 1}


def _hold(page, path, content, made_with=None):
    """As the single file holds what it was made with."""
    page.evaluate(
        """([id, textContent, checksum]) => {
          const held = document.createElement("script");
          Object.assign(held, { id, textContent, type: "application/octet-stream;base64" });
          held.dataset.sha256 = checksum;
          document.documentElement.append(held);
        }""",
        [
            f"file:{path}",
            content if isinstance(content, str) else f"\n{base64.b64encode(content).decode()}\n",
            hashlib.sha256(made_with or content).hexdigest(),
        ],
    )


def test_a_network_comes_from_the_single_file_and_asks_nobody(blank):
    _hold(blank, _ENTRY["file"], gzip.compress(_NETWORK))
    blank.evaluate("import('/resources.js')")
    asked = []
    blank.on("request", lambda request: asked.append(request.url))
    assert blank.evaluate(_OPEN, _ENTRY) == {"text": _NETWORK.decode(), "last": 1}
    assert asked == []


@pytest.mark.parametrize("content", [b"let b = 2", "no base64!"], ids=["changed", "overwritten"])
def test_what_the_single_file_no_longer_holds_as_it_was_is_neither_loaded_nor_run(blank, content):
    _hold(blank, _ENTRY["file"], content, gzip.compress(_NETWORK))
    _hold(blank, "worker.js", content, b"let a = 1")
    assert blank.evaluate(_OPEN, _ENTRY) == {"code": "resource_damaged", "values": {"path": _ENTRY["file"]}}
    started = """import("/worker_queue.js").then(({ WorkerQueue }) => new WorkerQueue({}).open())
      .then(() => "started", (error) => [error.code, error.values.path])"""
    assert blank.evaluate(started) == ["resource_damaged", "worker.js"]


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"b" + _NETWORK[1:]),
        gzip.compress(_NETWORK + b"more"),
        gzip.compress(_NETWORK)[:-9],
        gzip.compress(_NETWORK)[:30] + b"\0" * 50,
        b"",
        b"<!doctype html>",
    ],
    ids=["changed", "longer", "cut", "overwritten", "empty", "a page in its place"],
)
def test_a_damaged_network_is_refused(blank, content):
    _serve(blank, content)
    assert blank.evaluate(_OPEN, _ENTRY) == {"code": "network_damaged", "values": {"name": "runs/a"}}


def test_a_missing_file_is_named(blank):
    answer = blank.evaluate(_OPEN, _ENTRY)
    assert answer == {"code": "resource_missing", "values": {"path": "networks/a.gz"}}


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 1000, 100_003])
def test_checksums_are_right_with_and_without_the_browser_s_own(blank, length):
    content = bytes(place * 31 % 256 for place in range(length))
    found = blank.evaluate(
        """async (numbers) => {
          const { sha256, sha256Here } = await import("/sha256.js");
          const bytes = Uint8Array.from(numbers);
          const here = Array.from(sha256Here(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
          return [await sha256(bytes), here];
        }""",
        list(content),
    )
    assert found == [hashlib.sha256(content).hexdigest()] * 2
