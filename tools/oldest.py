"""Print the oldest versions that pyproject.toml allows, as constraints for pip: `make oldest` runs tests on them.

python tools/oldest.py > build/oldest.txt

torch stays at the version of constraints.txt: older builds for processors alone are not on the usual index, and others
take gigabytes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
_AS_PINNED = ("torch",)
_LINTERS = ("mypy", "ruff", "types-tqdm")
_OTHERS = ("docs", "mobile")
"""Extras that are not looked at: the site is built with what is newest, executorch names its torch itself."""


def oldest(project: dict) -> Iterator[str]:
    """Pin each package of a project at the lower bound of its version."""
    extras = [lines for extra, lines in project["optional-dependencies"].items() if extra not in _OTHERS]
    bounds: dict[str, str] = {}
    for text in [*project["dependencies"], *(line for lines in extras for line in lines)]:
        one = Requirement(text)
        lower = [part.version for part in one.specifier if part.operator == ">="]
        if one.name not in (project["name"], *_AS_PINNED, *_LINTERS):
            assert len(lower) == 1, f"{text} has no lower bound"
            assert bounds.setdefault(one.name, lower[0]) == lower[0], f"{one.name} has two lower bounds"
    yield from (f"{name}=={version}" for name, version in sorted(bounds.items()))


def main() -> None:
    """Print the pins."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    print("\n".join([*oldest(project), *(line for line in pinned if re.split("[=<>]", line)[0] in _AS_PINNED)]))


if __name__ == "__main__":
    main()
