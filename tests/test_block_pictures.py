"""The pictures of the paper's blocks: those in the documentation are the ones the tool draws, and can be read."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("block_pictures", ROOT / "tools" / "block_pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.draw()


def test_the_documentation_has_every_picture_and_no_other(figures):
    assert {path.stem for path in PICTURES.iterdir()} == set(figures)
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    for path in PICTURES.iterdir():
        assert path.stat().st_size < 60_000, path.name
        assert f"(pictures/{path.name})" in page, path.name


def test_no_words_overlap_or_leave_the_picture(figures):
    for name, figure in figures.items():
        figure.canvas.draw()
        texts = [text for axes in figure.axes for text in (*axes.texts, axes.title) if text.get_text()]
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
        for (first, one), (second, other) in itertools.combinations(boxes, 2):
            assert not one.overlaps(other), f"{name}: {first!r} lies on {second!r}"
        width, height = figure.canvas.get_width_height()
        for text, box in boxes:
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, f"{name}: {text!r} is cut"
