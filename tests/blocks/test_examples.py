"""Every example in the docstrings of blocks and networks runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import amsunet.blocks
import amsunet.models

_MODULES = [
    module.name
    for package in (amsunet.blocks, amsunet.models)
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    # A GPU's, and one that needs a file, which tests/test_docstrings.py has.
    if not module.name.endswith(("_triton", "author_weights"))
]


@pytest.mark.parametrize("name", _MODULES)
def test_examples_run(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize("name", amsunet.blocks.__all__)
def test_every_block_has_an_example(name):
    assert doctest.DocTestFinder(recurse=False).find(getattr(amsunet.blocks, name))[0].examples
