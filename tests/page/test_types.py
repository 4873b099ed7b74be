"""Single modules run in the browser as they are."""

from __future__ import annotations


def test_a_module_of_the_page_is_served_as_a_module(blank):
    assert blank.evaluate("import('/types.js').then(module => Object.keys(module).length)") == 0
