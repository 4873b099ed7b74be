"""Words, tables, archives, colours and references of the page, each against what the package has of it."""

from __future__ import annotations

import base64
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest

import amsunet
from amsunet.data.masks import IGNORE_INDEX, MaskConvention
from amsunet.data.out_of_distribution import FIGURES
from amsunet.data.overlay import colour_of
from amsunet.safe_text import as_cell
from amsunet.zoo import list_zoo

SOURCES = Path(amsunet.__file__).parent / "page"


@pytest.fixture(scope="module")
def words(chromium, sources):
    context = chromium.new_context()
    page = context.new_page()
    page.route("**/blank", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto(f"{sources}/blank")
    both = "Promise.all([import('/words.js'), import('/phrases.js')])"
    yield page.evaluate(f"{both}.then(([{{WORDS}}, {{PHRASES}}]) => ({{...WORDS, phrases: PHRASES}}))")
    context.close()


def _names(text):
    return set(re.findall(r"{(\w+)}", text))


def test_both_languages_say_the_same(words):
    assert list(words["en"]) == list(words["ko"])
    for key, text in words["en"].items():
        assert _names(text) == _names(words["ko"][key]), key


def test_every_word_is_used_and_every_word_used_is_there(words):
    files = [path for path in SOURCES.glob("*.js") if path.name not in ("words.js", "phrases.js")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    page = (SOURCES / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'data-(?:word|label)="([\w.]+)"', page))
    said = set(re.findall(r'\bt\(\s*"([\w.]+)"', text))
    codes = {f"error.{code}" for code in re.findall(r'PageError\(\s*"(\w+)"', text)}
    assert named | said | codes <= set(words["en"])
    parts = set(re.findall(r'"([\w.-]+)"', text)) | {f"error.{code}" for code in re.findall(r'"(\w+)"', text)}
    prefixes = tuple(re.findall(r"`([\w.]+\.)\$\{", text))
    endings = {f"{key}.note" for key in parts} | {f"{key}.one" for key in parts}
    unused = [key for key in words["en"] if key not in named | said | parts | endings and not key.startswith(prefixes)]
    assert not unused


def test_cards_and_figures_are_translated(words):
    korean = words["phrases"]["ko"]
    sentences = [sentence for card in list_zoo() for sentence in (card.finds, *card.fails, card.terms)]
    wanted = {sentence for sentence in (*sentences, *FIGURES) if sentence != "CC0."}
    assert wanted == set(korean)


def test_sentences_of_errors_fit_in(words):
    for key, text in words["en"].items():
        if key.startswith("error."):
            assert text[0] == "{" or text[0].isupper(), key
            assert text.endswith((".", "}")), key


def test_colours_are_those_of_overlays(blank):
    labels = list(range(1, 30))
    found = blank.evaluate("(labels) => import('/paint.js').then(({colourOf}) => labels.map(colourOf))", labels)
    assert found == [colour_of(label).tolist() for label in labels]


@pytest.mark.parametrize("kind", ["solid", "ring", "diagonal", "parted"])
def test_outlines_run_along_the_border(blank, kind):
    labels = np.zeros((20, 24), np.uint8)
    labels[4:14, 5:16] = 1
    if kind == "ring":
        labels[7:10, 8:12] = 0
    if kind == "diagonal":
        labels[14:18, 16:20] = 2
    numbers = labels.astype(np.int32)
    if kind == "parted":  # two objects of one class
        numbers[4:14, 10:16] = 7
    drawn = blank.evaluate(
        """([values, width, height, numbers]) => import('/outlines.js').then(({Outlines}) => {
      const canvas = new OffscreenCanvas(8 * width, 8 * height);
      const pen = canvas.getContext("2d");
      pen.scale(8, 8);
      new Outlines(new Uint8Array(values), width, height, null, 0.5, new Int32Array(numbers)).draw(pen, 0.25);
      return [...pen.getImageData(0, 0, 8 * width, 8 * height).data.filter((_, i) => i % 4 === 3)];
    })""",
        [labels.ravel().tolist(), 24, 20, numbers.ravel().tolist()],
    )
    there = np.array(drawn).reshape(20, 8, 24, 8).max(axis=(1, 3)) > 0
    padded = np.pad(numbers, 1, mode="edge")
    shifts = [padded[row : row + 20, column : column + 24] for row in (0, 1, 2) for column in (0, 1, 2)]
    border = np.any([shift != numbers for shift in shifts], axis=0)
    assert not (there & ~border).any()
    straight = np.any([shifts[index] != numbers for index in (1, 3, 5, 7)], axis=0)
    assert (there | ~straight).all()


NAMES = ["=1+1", "-0.5", "+3", "@x", "'=1", "plain", "a\tb", "a\nb", "\u202egnp.exe", "＝1", "1e5", "-x", "\x1b[31m"]


def test_cells_are_as_safe_as_the_packages(blank):
    found = blank.evaluate("(names) => import('/table.js').then(({asCell}) => names.map(asCell))", NAMES)
    assert found == [as_cell(name) for name in NAMES]


def test_archives_are_read_by_others(blank):
    encoded = blank.evaluate(
        """() => import('/zip.js').then(async ({zip}) => {
      const file = (name, ...bytes) => ({name, bytes: Uint8Array.from(bytes)});
      const archive = zip([file("a.png", 1, 2, 3), file("세포/b.png"), file("c.png", ...Array(5000).keys())]);
      const bytes = new Uint8Array(await archive.arrayBuffer());
      return btoa(String.fromCharCode(...bytes));
    })"""
    )
    archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(encoded)))
    assert archive.testzip() is None
    assert archive.namelist() == ["a.png", "세포/b.png", "c.png"]
    assert archive.read("a.png") == b"\x01\x02\x03"
    assert archive.read("c.png") == bytes(range(256)) * 19 + bytes(range(136))


def _convention(kind, values, **more):
    names = ("background", *(f"class{n}" for n in range(1, len(values))))
    return MaskConvention(kind=kind, values=values, class_names=names, **more)


REFERENCES = {
    "values": (_convention("values", (0, 1, 2), ignore_value=9), [[0, 1], [2, 9]]),
    "binary": (_convention("values", (0, 255)), [[0, 255], [255, 0]]),
    "threshold": (_convention("threshold", (0, 255), threshold=128), [[0, 127], [128, 255]]),
    "instances": (_convention("instances", (0, 1)), [[0, 7], [300, 2]]),
    "colours": (_convention("colours", (0, 0xFF0000, 0x00FF00)), [[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [0, 0, 0]]]),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_references_mean_what_training_masks_mean(blank, name):
    convention, mask = REFERENCES[name]
    raw = np.array(mask)
    found = blank.evaluate(
        """([samples, channels, convention]) => import('/reference.js').then(({referenceLabels}) => [
      ...referenceLabels({samples, channels, width: 2, height: 2, spacing: null}, {convention}, "mask.png")])""",
        [raw.ravel().tolist(), raw.size // 4, json.loads(convention.model_dump_json())],
    )
    assert found == convention.decode(raw, Path("mask.png")).ravel().tolist()


def test_a_value_of_no_class_is_refused(blank):
    convention, _ = REFERENCES["values"]
    code = blank.evaluate(
        """(convention) => import('/reference.js').then(({referenceLabels}) => {
      try { referenceLabels({samples: [0, 3, 0, 0], channels: 1, width: 2, height: 2}, {convention}, "mask.png"); }
      catch (error) { return [error.code, error.values.value]; }
    })""",
        json.loads(convention.model_dump_json()),
    )
    assert code == ["reference_values", 3]


@pytest.mark.parametrize("label", [1, 2])
def test_dice_is_that_of_reports(blank, label):
    rng = np.random.default_rng(0)
    labels, reference = rng.integers(0, 3, (2, 400))
    reference[:50] = IGNORE_INDEX
    found = blank.evaluate(
        "([a, b, label]) => import('/reference.js').then(({diceOf}) => diceOf(a, b, label))",
        [labels.tolist(), reference.tolist(), label],
    )
    here, there = labels[50:] == label, reference[50:] == label
    assert found == pytest.approx(2 * (here & there).sum() / (here.sum() + there.sum()))
    nothing = [0] * 4
    assert blank.evaluate("(n) => import('/reference.js').then(({diceOf}) => diceOf(n, n, 1))", nothing) == 1


_MANY = """async () => {
  const { Images } = await import("/images.js");
  const side = 4;
  const description = {threshold: 0.5, smallest_object: 0, preprocessing: {scale: 1, image_scale: "factor"}};
  const engine = {
    description,
    estimate: () => 1,
    look: async () => ({width: side, height: side, rgba: new Uint8ClampedArray(4 * side * side), spacing: null}),
    predict: async (_, name) => {
      const probability = new Float32Array(2 * side * side);
      for (let i = 0; i < Number(name); i += 1) probability[side * side + 2 * i] = 0.6 + 0.1 * i;
      return {width: side, height: side, classes: ["ground", "spot"], probability, outOfDistribution: "", polarity: "",
        seconds: 1, preview: false};
    },
  };
  const images = new Images(() => {});
  images.room = 1;
  images.use(engine);
  images.add([1, 2, 2, 1, 2].map((count) => ({name: String(count), file: new Blob(["x"])})));
  while (images.entries.some(({state}) => state !== "done")) await new Promise((resolve) => setTimeout(resolve, 5));
  const count = () => images.entries.map(({measured}) => measured.objects.length);
  const before = [images.entries.filter(({stored}) => stored).length, count()];
  images.choose({threshold: 0.65});
  await images.settle();
  const after = count();
  await images.select(images.entries[1]);
  return [...before, after, [...images.entries[1].measured.labels]];
}"""


def test_many_images_are_put_away_and_come_back_as_they_were(blank):
    stored, before, after, labels = blank.evaluate(_MANY)
    assert stored >= 3
    assert before == [1, 2, 2, 1, 2]
    assert after == [0, 1, 1, 0, 1]
    assert labels == [0, 0, 1] + [0] * 13


def test_very_many_borders_are_shown_as_a_picture(blank):
    side = 160
    labels = np.indices((side, side)).sum(axis=0) % 3
    drawn = blank.evaluate(
        """([values, side]) => import('/outlines.js').then(({Outlines}) => {
      const pen = new OffscreenCanvas(side, side).getContext("2d");
      new Outlines(new Uint8Array(values), side, side).draw(pen, 1);
      const {data} = pen.getImageData(0, 0, side, side);
      return [...new Uint32Array(data.buffer)];
    })""",
        [labels.ravel().tolist(), side],
    )
    found = np.array(drawn, "<u4").view(np.uint8).reshape(side, side, 4)
    expected = np.array([(0, 0, 0), colour_of(1), colour_of(2)], np.uint8)[labels]
    assert np.array_equal(found[..., :3], expected)
