"""What the README and the pages of figures say: every command runs, every figure stands in a result file."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

import amsunet
from amsunet.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BASH = [line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]
PAGES = [ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "docs" / "performance.md"]
FRONT = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/results.md", "docs/performance.md", "results/README.md"]


def test_the_front_door_is_short() -> None:
    assert len(README.splitlines()) <= 110


def test_every_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, in one folder; a training gets seconds instead of minutes."""
    monkeypatch.chdir(tmp_path)
    commands = [line for line in BASH if line.startswith("amsunet ")]
    assert len(commands) == 7 and len(BASH) == 9, "seven of amsunet, make demo and make test"
    for line in commands:
        if line == "amsunet page":  # serves until it is stopped: tests/serving
            continue
        words = shlex.split(re.sub(r"--minutes \d+", "--minutes 0.02 --base-channels 4 --steps-per-epoch 2", line))
        words += ["--base-channels", "4", "--crop", "64", "--batch-size", "2"] * (words[1] == "check")
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None), (line, capsys.readouterr())
    for folder, count in (("masks", 4), ("brain", 8)):
        masks = sorted((tmp_path / folder).glob("*.png"))
        assert len(masks) == count
        assert len(list((tmp_path / folder / "overlays").glob("*.png"))) == count
    assert "Dice" in (tmp_path / "runs" / "brain" / "report.html").read_text(encoding="utf-8")
    Image.open(masks[0]).save(tmp_path / "image.png")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README", "exec"), {})


def test_the_make_targets_exist() -> None:
    """Those that a fresh clone and .ci/run call too."""
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"make demo", "make test"} == {line for line in BASH if line.startswith("make ")}
    assert {line.split()[1] for line in BASH if line.startswith("make ")} <= set(targets)


def test_what_is_to_be_installed_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = re.findall(r"^pip install (\S+)", README, re.MULTILINE)
    assert lines[0] == "."
    extras = {extra for line in lines[1:] for extra in line.strip('".[]').split(",")}
    assert extras <= set(project["optional-dependencies"]) and len(extras) == len(lines) - 1
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", citation, re.MULTILINE) == [amsunet.__version__]


def _anchors(text: str) -> set[str]:
    """What a heading of Markdown is linked by."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", FRONT)
def test_every_link_leads_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert links
    for link in links:
        if link.startswith("https:"):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place) if place else page
        assert target.exists(), f"{name}: {link}"
        if anchor:
            assert anchor in _anchors(target.read_text(encoding="utf-8")), f"{name}: {link}"


def _numbers(content: object) -> set[str]:
    """Every number of a result file as a page may print it."""
    if isinstance(content, dict):
        return set().union(*(_numbers(value) for value in content.values())) if content else set()
    if isinstance(content, list):
        return set().union(*(_numbers(value) for value in content)) if content else set()
    if isinstance(content, bool) or not isinstance(content, int | float):
        return set()
    return {f"{abs(content):.{digits}f}" for digits in range(5)}


def _linked(page: Path, text: str) -> list[Path]:
    """The result files that a piece of Markdown links to."""
    found = []
    for link in re.findall(r"\]\(([^)#\s]+)\)", text):
        target = (page.parent / link).resolve()
        if target.is_relative_to(ROOT / "results") and target.suffix != ".md":
            found.append(target / "result.json" if target.is_dir() else target)
    return found


def _known(files: list[Path]) -> set[str]:
    return set().union(*(_numbers(json.loads(file.read_text(encoding="utf-8"))) for file in files))


def _printed(text: str) -> set[str]:
    """The figures of a piece of Markdown, without what it links to."""
    return set(re.findall(r"(?<!Apache-)\b\d+\.\d+", re.sub(r"\]\([^)]*\)|`[^`]*`", "]", text)))


def unfounded(page: Path, row: str) -> set[str]:
    """Figures of a row of a table that stand in no result file: each cell's in the files that it links to itself, or
    else in those of the first cell that links to any.

    A first cell may name what was done by a number, as an enlargement; its figures of four digits are checked alike.
    """
    first, *cells = row.strip().strip("|").split("|")
    links = [_linked(page, cell) for cell in (first, *cells)]
    of_row = links[0] or [file for files in links for file in files]
    scores = {figure for figure in _printed(first) if len(figure.partition(".")[2]) >= 3}
    wrong = scores - _known(of_row)
    for cell, files in zip(cells, links[1:], strict=True):
        wrong |= _printed(cell) - _known(files or of_row)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_figure_of_a_table_stands_in_the_result_file_of_its_row(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|") and not set(line) <= set("|- ")]
    bodies = [row for row in rows if lines[min(lines.index(row) + 1, len(lines) - 1)][:4] != "|---"]
    with_figures = [row for row in bodies if _printed(row)]
    assert len(with_figures) >= 12
    for row in with_figures:
        assert _linked(page, row), f"{page.name} names no result file for {row}"
        assert not unfounded(page, row), (row, unfounded(page, row))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_score_outside_of_tables_stands_in_a_result_file_of_its_line(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for line in text.splitlines():
        scores = {figure for figure in _printed(line) if len(figure.partition(".")[2]) >= 3}
        if scores and not line.startswith("|"):
            assert scores <= _known(_linked(page, line)), (line, scores - _known(_linked(page, line)))


def test_a_wrong_figure_is_found() -> None:
    row = "| [amsunet](results/compare_dsb2018) | 2.62 | {} |"
    page = ROOT / "README.md"
    assert unfounded(page, row.format("0.8695")) == set()
    assert unfounded(page, row.format("0.8696")) == {"0.8696"}
    elsewhere = row.format("[40 minutes](results/drive_cpu_40min_seed0): 0.8246")
    assert unfounded(page, elsewhere) == set()
    assert unfounded(page, elsewhere.replace("40min_seed0", "40min")) == {"0.8246"}


def test_nothing_measured_is_forgotten() -> None:
    """Every file and folder of results/ stands in its index, and the index names no other."""
    index = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    there = {path.name for path in (ROOT / "results").iterdir() if path.name != "README.md"}
    linked = {link.partition("/")[0] for link in re.findall(r"\]\(([^)#]+)\)", index) if not link.startswith("..")}
    assert linked == there


def test_the_guide_names_what_exists() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|tests|tools|benchmarks)/[^`*]*)`", guide)
    assert len(named) >= 15
    assert not [path for path in named if not (ROOT / path).exists()]
    assert max(len(part.splitlines()) for part in guide.split("\n## Add ")[1:]) <= 12, "ten lines each, and a heading"
