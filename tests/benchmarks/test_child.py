"""Figures from a process of its own."""

from __future__ import annotations

import os
import sys

import pytest
from child import measured

from amsunet.errors import InputError


def test_the_last_line_is_the_figure(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import json, sys\nprint('warming up')\nprint(json.dumps({'seen': sys.argv[1:]}))\n")
    assert measured(script, "--side", 3) == {"seen": ["--side", "3"]}


def test_a_failure_is_its_last_line(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nsys.exit('no such file')\n")
    with pytest.raises(InputError, match=r"^no such file$"):
        measured(script)


def test_nothing_large_is_loaded_beside_what_is_measured(tmp_path):
    """The script imports this module too: torch in it would be counted."""
    script = tmp_path / "script.py"
    script.write_text("import sys\nimport child\nprint(str('torch' in sys.modules).lower())\n")
    assert measured(script, environment={"PYTHONPATH": os.pathsep.join(sys.path)}) is False
