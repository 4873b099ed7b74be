"""A network at work in the browser: the same probabilities as in Python, progress, an end at any time, and failures."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io

import numpy as np
import pytest
from made_onnx import describe, write
from PIL import Image

import amsunet

_TOOLS = """() => {
window.openNetwork = async (entry, options = {}) => {
  const { Engine } = await import("/engine.js");
  return Engine.open(entry, options);
};
window.bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
window.described = (promise) => promise.then(
  (result) => ({ ...result, probability: result.probability && [...result.probability] }),
  (error) => ({ code: error.name === "PageError" ? error.code : error.name, values: error.values }),
);
}"""


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def page(chromium, sources, small):
    """An empty page with a small network to be had; ``engine`` there has it open."""
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/blank", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(f"{sources}/blank")
    page.evaluate(_TOOLS)
    serve(page, small)
    page.evaluate("async entry => { window.engine = await openNetwork(entry); }", small.entry)
    yield page
    context.close()


def serve(page, network):
    page.route(f"**/{network.entry['file']}", lambda route: route.fulfill(body=network.packed))


def picture(width, height, seed=0):
    """An image of a known kind as a file, and as an array."""
    grey = np.arange(width * height, dtype=np.int64).reshape(height, width) * (7 + seed) % 256
    pixels = np.stack([grey, grey // 2, 255 - grey], 2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue(), pixels


def in_base64(content):
    return base64.b64encode(content).decode()


def predict(page, content, name="image.png", engine="engine"):
    return page.evaluate(
        f"async ([text, name]) => described({engine}.predict(bytesOf(text), name))", [in_base64(content), name]
    )


@pytest.mark.parametrize(("width", "height"), [(47, 33), (20, 31), (256, 200)])
def test_probabilities_are_those_of_python(page, small, width, height):
    content, pixels = picture(width, height)
    got = predict(page, content)
    expected = amsunet.load(small.path).predict(pixels).probability
    assert (got["width"], got["height"], got["classes"]) == (width, height, ["background", "cell"])
    assert not got["preview"]
    np.testing.assert_allclose(np.reshape(got["probability"], expected.shape), expected, atol=1e-5)


def test_a_large_image_goes_through_in_the_same_tiles_and_is_seen_coarsely_before(page, small):
    content, pixels = picture(1100, 1000)
    got = page.evaluate(
        """async ([text]) => {
          const told = [], previews = [];
          const result = await engine.predict(bytesOf(text), "large.png", {
            onProgress: (fraction, left) => told.push([fraction, left]),
            onPreview: ({ preview, width, height, probability }) =>
              previews.push([preview, width, height, probability.length, told.length]),
          });
          const some = Array.from({ length: 1000 }, (_, one) => (one * 104729) % result.probability.length);
          return { told, previews, some: some.map((place) => result.probability[place]), preview: result.preview };
        }""",
        [in_base64(content)],
    )
    expected = amsunet.load(small.path).predict(pixels).probability.ravel()
    some = np.arange(1000) * 104729 % expected.size
    np.testing.assert_allclose(got["some"], expected[some], atol=1e-4)
    (preview,) = got["previews"]
    assert preview[:4] == [True, 1100, 1000, 2 * 1100 * 1000] and not got["preview"]
    fractions, left = np.transpose(got["told"])
    assert preview[4] < len(fractions) and (np.diff(fractions) >= 0).all()
    assert fractions[0] == 0 and 0.5 < fractions[-1] <= 1 and (left >= 0).all()


def test_an_estimate_grows_with_the_image_and_follows_what_was_measured(page, small):
    content, _ = picture(300, 300)
    before, after, larger = page.evaluate(
        """async ([entry, text]) => {
          const engine = await openNetwork({ ...entry, work: 1e9 });
          const before = engine.estimate(300, 300);
          await engine.predict(bytesOf(text), "image.png");
          return [before, engine.estimate(300, 300), engine.estimate(3000, 3000)];
        }""",
        [small.entry, in_base64(content)],
    )
    assert 0 < after < before / 2 and larger > 50 * after


def test_a_prediction_can_be_cancelled_while_it_runs_and_while_it_waits(page, small):
    content, _ = picture(2500, 2000)
    short, few = picture(40, 40)
    got = page.evaluate(
        """async ([text, short]) => {
          const running = new AbortController(), waiting = new AbortController(), before = AbortSignal.abort();
          const begun = new Promise((resolve) => {
            const options = { signal: running.signal, onProgress: resolve };
            window.first = described(engine.predict(bytesOf(text), "a", options));
          });
          const second = described(engine.predict(bytesOf(text), "b", { signal: waiting.signal }));
          const third = described(engine.predict(bytesOf(short), "c"));
          const fourth = described(engine.predict(bytesOf(short), "d", { signal: before }));
          await begun;
          waiting.abort();
          const results = [await second];
          running.abort();
          return [...results, await window.first, await fourth, await third];
        }""",
        [in_base64(content), in_base64(short)],
    )
    assert [one.get("code") for one in got[:3]] == ["AbortError"] * 3
    expected = amsunet.load(small.path).predict(few).probability
    np.testing.assert_allclose(np.reshape(got[3]["probability"], expected.shape), expected, atol=1e-5)


def test_images_are_looked_at_while_the_network_runs(page, small):
    content, _ = picture(2500, 2000)
    short, _ = picture(40, 30)
    order = page.evaluate(
        """async ([text, short]) => {
          const order = [];
          const stop = new AbortController();
          await Promise.all([
            described(engine.predict(bytesOf(text), "a", { signal: stop.signal })).then(() => order.push("predicted")),
            engine.look(bytesOf(short), "b").then(({ width, height }) => order.push([width, height]) && stop.abort()),
          ]);
          return order;
        }""",
        [in_base64(content), in_base64(short)],
    )
    assert order == [[40, 30], "predicted"]


def test_what_is_no_image_is_refused_and_the_next_image_is_predicted(page, small):
    for content in (b"", b"no image at all", picture(9, 9)[0][:40]):
        answer = predict(page, content, "x.png")
        assert answer["code"] not in ("engine_failed", "Error", "TypeError"), answer
        assert answer["values"]["name"] == "x.png"
    assert predict(page, picture(20, 20)[0])["width"] == 20


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"bias": float("nan")}, "no_numbers"),
        ({"description": describe(in_channels=1).model_dump_json()}, "engine_failed"),
    ],
    ids=["no numbers", "takes something else than it says"],
)
def test_a_network_that_gives_nothing_is_told_of_and_nothing_hangs(page, tmp_path, changed, code):
    network = write(tmp_path, name=code, **changed)
    serve(page, network)
    page.evaluate("async entry => { window.other = await openNetwork(entry); }", network.entry)
    content, _ = picture(40, 40)
    answers = [predict(page, content, "x.png", engine="other") for _ in range(2)]
    page.evaluate("other.close()")
    assert [answer["code"] for answer in answers] == [code] * 2
    assert answers[0]["values"]["name"] == "x.png"


def test_a_file_that_is_no_network_does_not_open(page, small):
    content = small.path.read_bytes()
    broken = content[:20] + b"\0" * 10 + content[30:]
    entry = small.entry | {"sha256": hashlib.sha256(broken).hexdigest(), "file": "networks/broken.onnx.gz"}
    page.route("**/networks/broken.onnx.gz", lambda route: route.fulfill(body=gzip.compress(broken)))
    answer = page.evaluate("entry => described(openNetwork(entry))", entry)
    assert answer["code"] in ("engine_failed", "network_other_version")


def test_a_worker_that_holds_much_memory_is_replaced_when_nothing_waits(page):
    content, _ = picture(900, 800)
    with page.expect_event("worker", timeout=120_000):
        page.evaluate("text => engine.predict(bytesOf(text), 'x').then(() => {})", in_base64(content))
    assert predict(page, picture(20, 20)[0])["width"] == 20


def test_two_networks_are_open_at_a_time_and_a_closed_one_answers(page, small):
    content, _ = picture(40, 40)
    got = page.evaluate(
        """async ([entry, text]) => {
          const [one, other] = await Promise.all([openNetwork(entry), openNetwork(entry)]);
          one.close();
          return [await described(one.predict(bytesOf(text), "a")), await described(one.look(bytesOf(text), "a")),
            (await described(other.predict(bytesOf(text), "a"))).width];
        }""",
        [small.entry, in_base64(content)],
    )
    assert [got[0]["code"], got[1]["code"], got[2]] == ["AbortError", "AbortError", 40]


def test_a_worker_that_does_not_load_is_told_of(blank, small):
    blank.route("**/decode.js", lambda route: route.fulfill(status=404))
    serve(blank, small)
    blank.evaluate(_TOOLS)
    answer = blank.evaluate("entry => described(openNetwork(entry))", small.entry)
    assert answer["code"] == "resource_missing" and answer["values"]["path"] == "worker.js"
