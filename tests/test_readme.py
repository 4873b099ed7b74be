"""What the README says: every command runs, every figure stands in a result file."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from PIL import Image

from amsunet.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BASH = [line for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]


def test_every_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their order, in one folder; a training gets seconds instead of minutes."""
    monkeypatch.chdir(tmp_path)
    commands = [line for line in BASH if "amsunet" in line]
    assert len(commands) == 5
    for line in commands:
        words = shlex.split(re.sub(r"--minutes \d+", "--minutes 0.05 --base-channels 4 --steps-per-epoch 2", line))
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None), (line, capsys.readouterr())
    masks = sorted((tmp_path / "masks").glob("*.png"))
    assert len(masks) == 8
    assert len(list((tmp_path / "masks" / "overlays").glob("*.png"))) == 8
    assert "Dice" in (tmp_path / "runs" / "brain" / "report.html").read_text(encoding="utf-8")
    Image.open(masks[0]).save(tmp_path / "image.png")
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(compile(block, "README", "exec"), {})


def test_the_make_targets_exist() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {line.split()[1] for line in BASH if line.startswith("make ")} <= set(targets)


def _figures(content: object) -> set[str]:
    """Every number of a result file as the README may print it."""
    if isinstance(content, dict):
        return set().union(*(_figures(value) for value in content.values())) if content else set()
    if isinstance(content, list):
        return set().union(*(_figures(value) for value in content)) if content else set()
    if isinstance(content, bool) or not isinstance(content, int | float):
        return set()
    return {f"{abs(content):.{digits}f}" for digits in range(5)}


def test_every_figure_stands_in_the_result_file_of_its_row() -> None:
    rows = [line for line in README.splitlines() if line.startswith("|") and "](results/" in line]
    assert rows
    for row in rows:
        target = ROOT / re.findall(r"\]\((results/[^)]+)\)", row)[0]
        path = target / "result.json" if target.is_dir() else target
        known = _figures(json.loads(path.read_text(encoding="utf-8")))
        cells = row.split("|")[2:-1]
        printed = re.findall(r"\d+\.\d+", " ".join(cells))
        assert printed
        assert set(printed) <= known, (row, set(printed) - known)
