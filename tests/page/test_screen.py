"""What people do with the page, and what they see; the engine is a stand-in (standins/engine.js)."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from screens import SQUARES, as_png, drawn, finished, made_image, open_screen, upload

AREA = sum((bottom - top) * (right - left) for top, left, bottom, right in SQUARES)
FAINT = 25
"""Pixels of the square that a higher threshold loses."""


@pytest.fixture(scope="module")
def opened(chromium, sources):
    with open_screen(chromium, sources) as page:
        yield page


@pytest.fixture
def page(opened):
    """The page as it is after it has been opened."""
    yield opened
    if opened.get_attribute("body", "data-screen") == "work":
        opened.evaluate("document.querySelector('.strip-acts button:last-of-type').click()")
    opened.wait_for_selector("#welcome")
    opened.select_option("#network", "1")
    opened.select_option("#network", "0")
    opened.wait_for_selector("#loading", state="hidden")


def _choose(page, *names):
    page.set_input_files("#files", [name if isinstance(name, dict) else upload(name) for name in names])
    finished(page, len(names))


def _figures(page):
    return [int(text.split()[0].replace(",", "")) for text in page.locator(".figures b").all_inner_texts()]


def _slide(page, name, value):
    page.locator(f"#slider-{name}").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", str(value)
    )
    drawn(page)


def _download(page, button):
    with page.expect_download() as download:
        page.click(f".saves button:has-text('{button}')")
    return download.value.suggested_filename, download.value.path().read_bytes()


def _rows(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_first_visitor_is_told_what_to_do(page):
    text = page.inner_text("#welcome")
    for words in ("Drop images here", "Choose images", "try an example", "cell nuclei", "Where it fails"):
        assert words in text
    assert "stays on this computer" in page.inner_text("header")
    assert "not for diagnosis" in page.inner_text("header")


def test_the_example_comes_with_its_reference(page):
    page.click(".examples button")
    finished(page)
    page.wait_for_selector(".dice b")
    assert float(page.inner_text(".dice b")) == pytest.approx(2 * (AREA - FAINT) / (2 * AREA - FAINT), abs=1e-3)
    page.keyboard.press("s")
    page.wait_for_selector(".legend:visible")
    assert "missed" in page.inner_text(".legend")
    page.keyboard.press("s")


def test_an_image_is_counted_and_measured(page):
    _choose(page, "cells.png")
    assert _figures(page) == [4, AREA]
    assert "cells.png" in page.inner_text(".result")
    assert f"{100 * AREA / made_image().size:.1f} % of the image" in page.inner_text(".result")


def test_sliders_act_at_once_and_go_back(page):
    _choose(page, "cells.png")
    _slide(page, "threshold", 0.7)
    assert _figures(page) == [3, AREA - FAINT]
    _slide(page, "smallest", 0.1)  # 10 pixels
    assert _figures(page) == [2, AREA - FAINT - 9]
    for name in ("threshold", "smallest"):
        page.click(f".slider:has(#slider-{name}) button")
    drawn(page)
    assert _figures(page) == [4, AREA]


def test_a_threshold_holds_for_all_images(page):
    _choose(page, "one.png", "other.png")
    _slide(page, "threshold", 0.7)
    _, content = _download(page, "Counts, CSV")
    assert [(row["image"], row["objects"], row["threshold"]) for row in _rows(content)] == [
        ("one.png", "3", "0.7"),
        ("other.png", "3", "0.7"),
    ]


def test_a_pixel_size_makes_areas_of_pixels(page):
    _choose(page, "cells.png")
    page.fill("#pixel-size", "0,5")
    drawn(page)
    assert page.locator(".figures b").nth(1).inner_text() == f"{AREA / 4:g} µm²"
    assert page.locator(".scale").is_visible()
    _, content = _download(page, "Objects, CSV")
    assert [float(row["area_um2"]) for row in _rows(content)] == [25, 6, 6.25, 2.25]
    for text in ("half", "-1", "1e30", "1e-9"):
        page.fill("#pixel-size", text)
        drawn(page)
        assert page.locator(".figures b").nth(1).inner_text() == f"{AREA} px"
        assert page.get_attribute("#pixel-size", "aria-invalid") == "true"
    page.fill("#pixel-size", "")
    assert page.get_attribute("#pixel-size", "aria-invalid") == "false"


def test_a_pixel_size_of_the_file_is_used(page):
    _choose(page, "spaced.png")
    assert page.input_value("#pixel-size") == "0.5"
    assert "From the file" in page.inner_text("#panel")
    assert page.locator(".figures b").nth(1).inner_text().endswith("µm²")


def test_masks_pictures_and_tables_are_taken_away(page):
    _choose(page, "cells.png")
    name, content = _download(page, "Mask")
    assert name == "cells_mask.png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), np.where(made_image() > 50, 255, 0))
    name, content = _download(page, "Picture")
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert (name, picture.shape[:2]) == ("cells_overlay.png", made_image().shape)
    assert (np.ptp(picture, axis=2) > 40).any()  # outlines have a colour, and the image has none
    _, content = _download(page, "Objects, CSV")
    first = _rows(content)[0]
    assert first["class"] == "nucleus"
    assert [first[key] for key in ("top", "left", "bottom", "right", "area_px")] == ["5", "5", "15", "15", "100"]
    assert (first["centroid_row"], first["centroid_column"], first["touches_border"]) == ("9.5", "9.5", "no")
    assert _rows(content)[3]["touches_border"] == "yes"


def test_objects_that_touch_are_parted_on_request_and_go_to_other_programs(page):
    rows, columns = np.ogrid[:40, :60]
    discs = np.where(np.minimum((columns - 18) ** 2, (columns - 34) ** 2) + (rows - 20) ** 2 <= 100, 200, 20)
    _choose(page, upload("pair.png", as_png(discs.astype(np.uint8))))
    assert _figures(page)[0] == 1
    _slide(page, "separation", 1)
    assert _figures(page)[0] == 2
    name, content = _download(page, "ImageJ ROIs")
    assert (name, len(zipfile.ZipFile(io.BytesIO(content)).namelist())) == ("pair_rois.zip", 2)
    name, content = _download(page, "QuPath GeoJSON")
    assert (name, len(json.loads(content)["features"])) == ("pair.geojson", 2)
    name, content = _download(page, "Labels, TIFF")
    assert (name, np.asarray(Image.open(io.BytesIO(content))).max()) == ("pair_labels.tif", 2)
    _, content = _download(page, "Objects, CSV")
    assert [row["circularity"] for row in _rows(content)] and len(_rows(content)) == 2
    page.click(".slider:has(#slider-separation) button")
    drawn(page)
    assert _figures(page)[0] == 1


def test_all_masks_are_one_archive(page):
    _choose(page, "a.png", upload("a.png"), "b.png")
    name, content = _download(page, "All masks")
    assert name == "masks.zip"
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["a.png", "a_2.png", "b.png"]


def test_classes_have_a_line_each(page):
    page.select_option("#network", "2")
    page.wait_for_selector("#loading", state="hidden")
    _choose(page, "cells.png")
    lines = page.locator(".classes tr").all_inner_texts()
    assert [line.split()[0] for line in lines] == ["class", "core", "rim"]
    assert page.locator("#slider-threshold").is_hidden()


def test_a_failure_is_one_sentence_and_the_rest_goes_on(page):
    page.set_input_files("#files", [upload("text.png", b"no image"), upload("cells.png")])
    finished(page, 2)
    assert page.locator(".failure span").inner_text().count("text.png") == 1
    page.keyboard.press("n")
    page.wait_for_selector(".figures b:has-text('4')")
    assert page.locator(".failure").is_hidden()


def test_what_is_unlike_the_training_images_is_warned_of(page):
    _choose(page, "strange.png")
    assert "does not look like the training images" in page.inner_text(".findings")
    assert page.get_attribute("#strip li", "data-state") == "check"


def test_names_are_never_html(page):
    name = "<img src=x onerror=document.title='run'>.png"
    _choose(page, name)
    assert name in page.inner_text(".result")
    assert page.locator("#panel img, #strip img").count() == 0
    assert page.title() != "run"


def test_a_reference_of_another_size_is_refused(page):
    _choose(page, "cells.png")
    page.set_input_files("#masks", [upload("small.png", as_png(np.zeros((5, 7), np.uint8)))])
    page.wait_for_selector("#problem:visible")
    assert page.inner_text("#problem").startswith("small.png is 7 × 5 pixels, and the image is 64 × 48")


def test_references_are_matched_by_name(page):
    _choose(page, "a.png", "b.png")
    mask = as_png(np.where(made_image() > 50, 255, 0).astype(np.uint8))
    page.set_input_files("#masks", [upload("b_mask.png", mask), upload("c_mask.png", mask)])
    page.wait_for_selector("#problem:visible")
    assert "c_mask.png" in page.inner_text("#problem")
    page.keyboard.press("n")
    page.wait_for_selector(".dice b")
    assert page.inner_text(".dice b") == "1"


def test_files_are_dropped_and_pasted(page):
    give = """async ([kind, bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(bytes)], `${kind}.png`, {type: "image/png"}));
      const event = kind === "drop" ? new DragEvent("drop", {dataTransfer: transfer, cancelable: true})
        : new ClipboardEvent("paste", {clipboardData: transfer, cancelable: true});
      dispatchEvent(event);
    }"""
    content = list(as_png(made_image()))
    page.evaluate(give, ["drop", content])
    finished(page)
    page.evaluate(give, ["paste", content])
    finished(page, 2)
    names = [label.split(",")[0] for label in page.locator(".thumb").evaluate_all("all => all.map(b => b.title)")]
    assert names == ["drop.png", "paste.png"]


def test_keys_are_enough(page):
    _choose(page, "a.png", "b.png")
    page.keyboard.press("n")
    page.wait_for_selector(".result .name:has-text('b.png')")
    page.keyboard.press("2")
    page.wait_for_selector(".choice button[aria-pressed=true]:has-text('Fill')")
    page.keyboard.press("]")
    page.wait_for_selector(".slider output:has-text('0.55')")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    before = page.inner_text(".zoom output")
    page.locator(".pane canvas").first.focus()
    page.keyboard.press("+")
    drawn(page)
    assert page.inner_text(".zoom output") != before


def test_work_is_cancelled_and_taken_up_again(page):
    page.set_input_files("#files", [upload("slow.png"), upload("other.png")])
    page.wait_for_selector(".chip:visible")
    page.keyboard.press("Escape")
    page.wait_for_selector("#strip li[data-state=cancelled] >> nth=1")
    assert page.locator(".chip").is_hidden()
    page.keyboard.press("n")
    page.click(".failure button")
    finished(page)
    assert _figures(page) == [4, AREA]


def test_two_thousand_files_at_once(page):
    page.evaluate(
        """(bytes) => {
      const transfer = new DataTransfer();
      for (let i = 0; i < 2000; i += 1) transfer.items.add(new File([new Uint8Array(bytes)], `${i} slow.png`));
      document.querySelector("#files").files = transfer.files;
      document.querySelector("#files").dispatchEvent(new Event("change"));
    }""",
        list(as_png(made_image())),
    )
    page.locator("#strip li").nth(1999).wait_for(state="attached")
    assert page.inner_text(".strip-acts").startswith("0 of 2000")
    page.keyboard.press("Escape")
    page.wait_for_selector("#strip li[data-state=cancelled] >> nth=1999", state="attached")


def test_the_page_speaks_korean(page):
    page.click(".language button[value=ko]")
    assert page.get_attribute("html", "lang") == "ko"
    assert "영상은 이 컴퓨터를 벗어나지 않습니다" in page.inner_text("header")
    assert "세포핵" in page.inner_text("#card")
    page.click(".language button[value=en]")
    assert "Drop images here" in page.inner_text("#welcome")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier(chromium, sources, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    with open_screen(chromium, sources, color_scheme=scheme, bypass_csp=True) as page:
        found = _barriers(axe, page)
        page.set_input_files("#files", [upload("strange spaced.png")])
        finished(page)
        found += _barriers(axe, page)
        page.keyboard.press("?")
        found += _barriers(axe, page)
    assert not found


def _barriers(axe, page):
    violations = axe.Axe().run(page).response["violations"]
    worst = [one for one in violations if one["impact"] in ("serious", "critical")]
    return [(one["id"], node["html"][:120]) for one in worst for node in one["nodes"]]


def test_a_phone_shows_all_without_moving_sideways(chromium, sources):
    with open_screen(chromium, sources, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        wide = "document.documentElement.scrollWidth <= innerWidth"
        assert page.evaluate(wide)
        page.set_input_files("#files", [upload(f"a rather long name of an image {n}.png") for n in range(12)])
        finished(page)
        assert page.evaluate(wide)
        assert page.locator(".figures").is_visible()
