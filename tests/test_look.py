"""One look for the page, reports, comparisons and contact sheets."""

from __future__ import annotations

import re

import pytest

from amsunet.evaluation.report import render
from amsunet.look import STYLE, page_colour


def test_colours_are_those_of_the_stylesheet():
    text = STYLE.read_text(encoding="utf-8")
    assert f"--ink: {page_colour('ink')};" in text
    assert page_colour("paper") == "#ffffff"
    with pytest.raises(KeyError):
        page_colour("of no such name")


def test_a_report_holds_the_stylesheet_as_it_is():
    machine = {"device_name": "CPU", "precision": "float32", "threads": 1, "memory_gib": 1, "system": "Linux"}
    html = render("base.html", environment={**machine, "python": "3.11", "packages": {}})
    assert STYLE.read_text(encoding="utf-8").strip() in html


def test_every_colour_that_the_styles_use_is_in_one_of_them():
    styles = STYLE.read_text(encoding="utf-8") + STYLE.with_name("page.css").read_text(encoding="utf-8")
    assert set(re.findall(r"var\(--([\w-]+)\)", styles)) <= set(re.findall(r"--([\w-]+):", styles))
