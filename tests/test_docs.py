"""The documentation: its code runs, its commands exist, its links lead somewhere, and it becomes a site."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from functools import cache
from pathlib import Path

import click
import pytest
import torch

import amsunet
from amsunet import blocks, models
from amsunet.blocks import AMS, AMSE, RSC, AMSEDesign
from amsunet.cli import cli, main
from amsunet.evaluation.ablation import STUDIES
from amsunet.models.cost import count_macs, count_parameters, receptive_field

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {str(page.relative_to(DOCS)): page.read_text(encoding="utf-8") for page in sorted(DOCS.rglob("*.md"))}
CODE = {
    name: found
    for name, text in PAGES.items()
    if (found := re.findall(r"^```(python|bash)\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
}
SLOW = {"--engine", "page", "web", "bioimage", "compare", "ablate", "benchmark", "--folds", "--pretrained", "--devices"}
"""What trains several networks, a wide one or in several processes, and what serves until it is ended, is parsed, and
run by tests of its own."""


@pytest.fixture(scope="module")
def named(tmp_path_factory, whole, picture, disc, save):
    """A folder that has what the pages name: DATA, OTHER_DATA, RUN, IMAGES, IMAGE, image.png, scan.dcm."""
    place = tmp_path_factory.mktemp("named")
    for data in ("DATA", "OTHER_DATA"):
        for number in range(12):
            name = f"P{number // 2}_slice{number % 2}.png"
            save(place / data / "images" / name, picture(number, 64, 64))
            save(place / data / "masks" / name, disc(number, 64, 64).astype("uint8") * 255)
    shutil.copytree(whole.run, place / "RUN")
    shutil.copytree(place / "DATA" / "images", place / "IMAGES")
    shutil.copy(place / "IMAGES" / "P0_slice0.png", place / "IMAGE")
    shutil.copy(place / "IMAGES" / "P0_slice0.png", place / "image.png")
    shutil.copytree(ROOT / "examples", place / "examples")
    if importlib.util.find_spec("pydicom") is not None:
        from pydicom.data import get_testdata_file

        shutil.copy(get_testdata_file("CT_small.dcm"), place / "scan.dcm")
    return place


@pytest.fixture
def place(named, tmp_path, monkeypatch):
    """A copy of it, to write into."""
    monkeypatch.chdir(shutil.copytree(named, tmp_path / "place"))


@pytest.mark.parametrize("page", CODE)
def test_the_code_of_a_page_runs(page, place, captured_once, monkeypatch, capsys):
    """Block after block as a reader does; a training gets one step instead of minutes."""
    monkeypatch.setattr("amsunet.evaluation.explain._DPI", 30)  # pictures of 300 dots an inch take long
    with captured_once():
        _run_blocks(page, monkeypatch, capsys)


def _run_blocks(page, monkeypatch, capsys):
    """Those of Python in one namespace, those of the shell as commands of this process."""
    names: dict[str, object] = {}
    for language, code in CODE[page]:
        if "dicom_seg" in code:
            pytest.importorskip("highdicom", reason='needs pip install "amsunet[clinic]"')
        if language == "python":
            if file := re.match(r"# (\w+\.py)\n", code):
                Path(file[1]).write_text(code, encoding="utf-8")
            exec(compile(code, page, "exec"), names)
            continue
        shell: dict[str, str] = {}
        for line in filter(None, code.splitlines()):
            if assigned := re.fullmatch(r"(\w+)=(\S+)", line):
                shell[assigned[1]] = assigned[2]
                continue
            for name, value in shell.items():
                line = line.replace(f"${name}", value)
            words = shlex.split(line)
            if words[0] != "amsunet":
                _check_tool(words)
            elif SLOW & set(words):
                _parse(words[1:])
            elif words[1] == "export" and importlib.util.find_spec("onnx") is None:
                pytest.skip("exporting needs the extra export")
            else:
                monkeypatch.setattr(sys, "argv", _shortened(words))
                with pytest.raises(SystemExit) as ended:
                    main()
                assert ended.value.code in (0, None), (line, capsys.readouterr())


def _shortened(words: list[str]) -> list[str]:
    """The same command with a network and a budget of seconds."""
    small = ["--base-channels", "4", "--batch-size", "2", "--crop", "32"]
    if words[1] == "check" and "--write-manifest" not in words:
        return [*words, *small]
    if words[1] != "train" or "--resume" in words:
        return words
    for budget in {"--minutes", "--epochs"} & set(words):
        del words[words.index(budget) : words.index(budget) + 2]
    if "--model" in words:
        small = small[2:]
    elif "--config" not in words:
        small = ["--model", "unet", *small]
    return [*words, *small, "--epochs", "1", "--steps-per-epoch", "1"]


def _check_tool(words: list[str]) -> None:
    """A line that is not ours: a make target or a script that exists, or an extra that the package has."""
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets, words
    elif words[0] == "python":
        assert (ROOT / words[1]).is_file(), words
    else:
        assert words[:2] == ["pip", "install"], words
        extras = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(re.findall(r"amsunet\[(\w+)\]", " ".join(words))) <= set(extras), words


def _parse(words: list[str]) -> None:
    """Let click read a command without running it; an option or a value that does not exist raises."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    command.make_context("amsunet", words)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_in_the_text_exist(page, named, monkeypatch):
    monkeypatch.chdir(named)
    text = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(r"`amsunet ([^`]+)`", text):
        words = shlex.split(line)
        if words[0] == "COMMAND" or "..." in words:
            continue
        for name in ("NAME", "NEW_PLACE", "slide.tif", "float32.onnx", "fold2"):
            words = ["RUN" if word.endswith(name) else word for word in words]
        try:
            _parse(words)
        except click.MissingParameter:  # a command that is but mentioned
            continue
        except click.ClickException as error:
            pytest.fail(f"{page}: amsunet {line}: {error.format_message()}")


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{name}" for name in PAGES)])
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, section = target.partition("#")
        if re.match(r"\w+:", target):
            continue
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), f"{page} links to {target}"
        if section:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in {_slug(heading) for heading in headings}, f"{page} links to {target}"


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "results/README.md", *(f"docs/{name}" for name in PAGES)]
)
def test_source_files_that_a_page_names_are_there(page):
    """A newcomer looks for the file; one in a folder by its path, another by its name."""
    for named in re.findall(r"`([\w/]+\.py)\b", (ROOT / page).read_text(encoding="utf-8")):
        if named in ("network.py", "my_network.py", "FILE.py"):  # a reader's own
            continue
        folders = (ROOT, Path(amsunet.__file__).parents[1])
        nested = any(path.endswith(f"/{named}") for path in _sources())
        assert nested or any((folder / named).is_file() for folder in folders), f"{page} names {named}"


@cache
def _sources() -> list[str]:
    """Every file of Python, below what a page may leave out."""
    roots = Path(amsunet.__file__).parent, ROOT / "benchmarks", ROOT / "tests"
    return [path.as_posix() for root in roots for path in root.rglob("*.py")]


def _slug(heading: str) -> str:
    """A heading as GitHub and the site address it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_the_reference_documents_every_public_name():
    for package in (amsunet, models):
        for name in package.__all__:
            if name in ("absolute_model", "code_checksum", "code_files", "is_custom"):  # the package's own use
                continue
            assert re.search(rf"{package.__name__}\.(\w+\.)*{name}\b", PAGES["api.md"]) or (
                package is models and re.search(rf"amsunet\.{name}\b", PAGES["api.md"])
            ), f"docs/api.md does not document {package.__name__}.{name}"
    assert "automodule:: amsunet.blocks" in PAGES["api.md"] and blocks.__all__


@pytest.mark.parametrize(("page", "parts"), [("commands.md", 1), ("settings.md", 2)])
def test_options_and_settings_are_those_of_the_code(page, parts):
    fill = runpy.run_path(str(ROOT / "tools" / "write_options.py"))["filled"]
    assert PAGES[page].count("written by tools/write_options.py") == parts
    assert fill(PAGES[page]) == PAGES[page], "run python tools/write_options.py"
    changed = PAGES[page].replace("Of the splits", "Of no splits").replace("number objects", "number classes")
    assert changed != PAGES[page] == fill(changed)


def test_the_site_builds_without_a_warning_and_loads_nothing_from_outside(tmp_path):
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package, reason=f"the site needs {package}: make docs installs and builds it")
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "-q", "-b", "html", DOCS, tmp_path / "site"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pages = [*(tmp_path / "site").rglob("*.html")]
    assert len(pages) > len(PAGES)
    outside = re.compile(
        r"""<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href|srcset)\s*=\s*["']?(?:https?:)?//|"""
        r"""url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
    )
    for file in [*pages, *(tmp_path / "site").rglob("*.css")]:
        assert not outside.search(file.read_text(encoding="utf-8")), f"{file.name} loads something from outside"


_BLOCKS = PAGES["blocks.md"]


@pytest.mark.parametrize(("section", "block", "count"), [(0, RSC, 3), (1, AMSE, 4)])
def test_a_foreign_network_with_our_blocks_trains(section, block, count):
    code = [text for language, text in CODE["blocks.md"] if language == "python"]
    torch.manual_seed(0)
    names: dict[str, object] = {}
    exec(code[section], names)
    network = names["network"]
    assert sum(isinstance(module, block) for module in network.modules()) == count
    before = {name: value.clone() for name, value in network.named_parameters()}
    losses = []
    for _ in range(3):  # the page's three steps, three times
        exec(code[2], names)
        losses.append(float(names["loss"]))
    inside = [n for n, m in network.named_modules() if isinstance(m, block)]
    for name in inside:
        assert any(
            not torch.equal(value, before[key]) for key, value in network.named_parameters() if key.startswith(name)
        ), f"{name} did not learn"
    assert all(loss == loss for loss in losses)


def test_the_page_names_every_choice():
    for name in (*(field.name for field in fields(AMSEDesign)), *STUDIES, "dilations", "skip_attention"):
        assert f"`{name}`" in _BLOCKS, name


def test_the_table_of_strange_images_is_the_measured_one():
    page = PAGES["uncertainty.md"]
    found = json.loads((ROOT / "results" / "out_of_distribution.json").read_text(encoding="utf-8"))["networks"]
    assert set(found) == {"vessels", "nuclei", "glands", "lesions"}
    for network, counted in found.items():
        kinds = (counted["hits"].get(name) for name in ("DRIVE", "DSB2018", "GlaS", "ISIC2017-256"))
        cells = [f"{one['told']} of {one['images']}" if one else "" for one in (counted["false_alarms"], *kinds)]
        last = counted["hits"]["photographs of scikit-image"]
        row = " | ".join([network, *cells, f"{last['told']} of {last['images']}"]).replace("|  |", "| |")
        assert f"| {row} |" in page


def test_the_costs_of_the_blocks_are_those_of_the_modules():
    page = PAGES["paper.md"]
    for channels in (32, 64, 128, 256):
        cells = [str(channels)]
        for block in (AMS, AMSE, RSC):
            module = block(channels)
            cells.append(f"{count_parameters(module):,}")
            cells.append(f"{count_macs(module, 64, 64, in_channels=channels) / 1e6:,.1f}")
        assert f"| {' | '.join(cells)} |" in page
    network = models.AMSUnet()
    counted = f"{count_parameters(network):,} parameters and needs {count_macs(network, 256, 256) / 1e9:.2f} billion"
    assert counted in page


@pytest.mark.parametrize("dilation", [1, 3, 5])
def test_ams_sees_as_far_as_the_page_says(dilation):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), AMS(4, dilation))
    assert receptive_field(network) == 13 + 2 * dilation
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), AMSE(4, dilation))
    assert receptive_field(network) == 13 + 2 * dilation + 2
