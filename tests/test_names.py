"""Names in the source are the field's own: those that were parted with do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import amsunet

_ROOT = Path(amsunet.__file__).parent
_RETIRED = {
    **dict.fromkeys(("windowing", "tone"), "normalization, intensity range"),
    **dict.fromkeys(("judge", "judged"), "evaluate, validate"),
    **dict.fromkeys(("mend", "mended"), "fix"),
    **dict.fromkeys(("say", "said", "tell", "told"), "log, show, describe"),
    **dict.fromkeys(("doubtful", "doubts"), "review reasons, uncertainty limit"),
    **dict.fromkeys(("unlike", "strange", "appearance"), "out of distribution, image statistics"),
    "tempered": "temperature scaled",
    "keeper": "checkpointer",
}
"""By the word that was parted with, the one that a contributor would look for."""
_CARRIED = {"own": "model_file"}
"""The same of what travels from function to function; of one function alone it is a word like any other."""
_PHRASES = re.compile(
    r"\b(?:judge[sd]?|judging|mend(?:s|ed|ing)?|doubtful|strange|hopeful|please-check)\b"
    r"|\bway out\b|\bis not there\b|\bdo(?:es)? not count\b(?! as)|\b(?:told|said) to be\b",
    re.IGNORECASE,
)
"""In comments, messages, pages and cards: evaluate, fix, review list, out-of-distribution, optimistic, not found."""


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg


def _carried(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def _retired_in(source: str) -> set[str]:
    tree = ast.parse(source)
    found = {word for name in _names(tree) for word in _words(name) & _RETIRED.keys()}
    return found | {word for name in _carried(tree) for word in _words(name) & _CARRIED.keys()}


def test_names_use_the_words_of_the_field():
    files = [*_ROOT.rglob("*.py")]
    assert len(files) > 100
    for path in files:
        found = _retired_in(path.read_text(encoding="utf-8"))
        field = _RETIRED | _CARRIED
        assert not found, f"{path}: " + "; ".join(f"{word}: {field[word]}" for word in sorted(found))
        assert not _words(path.stem) & _RETIRED.keys(), path


def test_a_word_that_was_parted_with_is_found_wherever_it_is_a_name():
    for source in (
        "def choose_tone(): ...",
        "f(tone=1)",
        "class DoubtfulMask: ...",
        "self._told = x",
        "def f(own, say): ...",
        "f(own=x)",
    ):
        assert _retired_in(source), source
    assert not _retired_in("own = 1")
    assert not _retired_in("_TONES = (5, 25)  # of an image\n'windowing'")


def test_sentences_use_the_words_of_the_field():
    """Former names of settings and files stand on lines that say so: they are read still."""
    files = [path for suffix in ("py", "js", "html", "json") for path in _ROOT.rglob(f"*.{suffix}")]
    files = [path for path in files if "vendor" not in path.parts]
    assert len(files) > 300
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            found = None if "former" in line.lower() else _PHRASES.search(line)
            assert not found, f"{path}: {found and found.group()!r} in {line.strip()[:120]}"


def test_functions_of_the_page_use_the_words_of_the_field():
    files = [*(_ROOT / "page").glob("*.js")]
    assert len(files) > 40
    for path in files:
        code = re.sub(r"/\*.*?\*/|//[^\n]*|\"[^\"\n]*\"|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found = _words(path.stem) | {word for name in re.findall(r"[A-Za-z_]\w*", code) for word in _words(name)}
        assert not found & _RETIRED.keys(), f"{path}: {sorted(found & _RETIRED.keys())}"
