"""Reading JSON and CSV that somebody else may have written."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

import amsunet
from amsunet.atomic_io import write_csv, write_json
from amsunet.errors import InputError
from amsunet.text_files import MISSING, parse_json, read_json, read_rows

DEEP = ["[" * 200_000, '{"a":' * 200_000, "[" * 500 + "]" * 500, "[" * 200_000 + "]" * 200_000]
_NO_JSON = [*DEEP, "", "{", "1" * 5000, "\x00", "\ufffe"]


@pytest.mark.parametrize("text", _NO_JSON, ids=range(len(_NO_JSON)))
def test_what_is_no_json_is_told_in_one_sentence(tmp_path, text):
    path = tmp_path / "data.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"data\.json is damaged: ask for it$") as told:
        read_json(path, damaged="ask for it")
    assert told.value.code == ""


def test_files_that_are_none_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="is missing: look for it") as told:
        read_json(tmp_path / "data.json", missing="look for it")
    assert told.value.code == MISSING
    (tmp_path / "data.json").mkdir()
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe{")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("data", "bytes", "pipe"):
        for read in (read_json, read_rows):
            if (name, read) != ("bytes", read_rows):
                with pytest.raises(InputError, match="copy it again" if name == "bytes" else "where a file is needed"):
                    read(tmp_path / f"{name}.json")


def test_what_was_written_is_read(tmp_path):
    content = {"a": [1, 0.5, None, True, "\u202e\x1b[2J"], "b": {"c": []}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content == parse_json(json.dumps(content))
    rows = [{"=image": "=1+1.png", "score": -0.5, "+": "a\nb"}, {"=image": "'-x", "extra": "@"}]
    write_csv(tmp_path / "a.csv", rows)
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert "\x1b" not in text and all(cell[:1] not in ("=", "+", "@") for cell in text.replace("\n", ",").split(","))
    assert read_rows(tmp_path / "a.csv") == [
        {"=image": "=1+1.png", "score": "-0.5", "+": "a\\nb", "extra": ""},
        {"=image": "'-x", "score": "", "+": "", "extra": "@"},
    ]


@pytest.mark.parametrize("text", ["", "x" * 200_000 + "\n1\n", 'a,b\n"' + "x" * 200_000 + '",1\n'])
def test_a_table_that_cannot_be_read_is_told(tmp_path, text):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(InputError, match=r"rows\.csv is no table that can be read: copy it again"):
        read_rows(tmp_path / "rows.csv")


def test_nothing_else_reads_json_or_our_tables():
    """Or a file nested deep, a huge cell or a folder of that name ends in a traceback there."""
    root = Path(amsunet.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if path.name in ("text_files.py", "spreadsheet.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                assert name not in ("json.loads", "json.load", "csv.reader", "csv.DictReader"), path
