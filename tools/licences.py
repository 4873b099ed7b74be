"""Look at the licences of all packages that an installation of amsunet brings: none may be GPL, AGPL or non-commercial.

python tools/licences.py [--report FILE]

Without --report it looks at the packages of the environment that it runs in. FILE is what pip would install,
as ``pip install --dry-run --ignore-installed --report FILE ".[cluster,dev,docs,export,openvino,mobile,slides]"`` writes
it: `make licences` looks at every extra so, and installs none. A licence that is not known here fails too: read it, and
write it down in REVIEWED.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
TOOLS = ("dev", "docs")
"""Extras whose packages nobody needs who uses amsunet."""
Kind = Literal["permissive", "weak copyleft", "forbidden", "unknown"]
_ORDER: tuple[Kind, ...] = ("permissive", "weak copyleft", "unknown", "forbidden")
_BY_KIND: dict[Kind, str] = {"permissive": "MIT", "weak copyleft": "LGPL", "unknown": "-", "forbidden": "GPL"}
_FORBIDDEN = re.compile(
    r"\bA?GPL|\bAffero|GNU General Public|SSPL|Server Side Public|Commons Clause|CC[- ]BY[-A-Z]*-N[CD]|"
    r"non-?commercial|proprietary|academic use|research (use )?only",
    re.IGNORECASE,
)
_WEAK = re.compile(r"LGPL|GNU Lesser|GNU Library or Lesser|MPL|Mozilla Public|EPL-|Eclipse Public", re.IGNORECASE)
_PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|\bASL\b|ISC|PSF|Python Software Foundation|Zlib|CC0|BSL-1\.0|Boost|Unlicense|HPND|Historical "
    r"Permission|Public[ -]Domain|CNRI|UPL|MulanPSL|LLVM-exception|\bPIL\b|Zope|ZPL|NCSA|libtiff|CC-BY-4\.0|Unicode|"
    r"blessing|IJG|libpng",
    re.IGNORECASE,
)
_RUNTIME_EXCEPTION = re.compile(r"GPL[-\w.+]*\s+WITH\s+(GCC|Autoconf|Bison|Classpath)-exception[-\w.]*", re.IGNORECASE)
"""A licence that does not reach what is linked to it: libgfortran and libgomp in wheels of NumPy, SciPy and torch."""
REVIEWED: dict[str, str] = {
    "axe-playwright-python": "MIT AND MPL-2.0",  # its file LICENSE, and the head of axe.min.js
    "docutils": "Public Domain AND BSD-2-Clause",  # its GPL is that of a mode for Emacs, which no wheel holds
    "torchao": "BSD-3-Clause",  # the file LICENSE of its wheel
}
"""Licences read by hand of packages whose metadata name none, or more than holds for what is installed."""


@dataclass(frozen=True)
class Package:
    """A package with what its metadata say of its licence."""

    name: str
    version: str
    licence: str
    kind: Kind
    needed: bool
    """Whether amsunet or an extra for its users needs it."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}: {self.licence}"


def licence_of(metadata: Mapping[str, Any]) -> str:
    """The licence that a package names: as an expression, by classifiers, or in words, the first that is there."""
    reviewed = REVIEWED.get(canonicalize_name(metadata["name"]))
    if reviewed or metadata.get("license_expression"):
        return str(reviewed or metadata["license_expression"])
    of_classifiers = [
        line.rsplit(" :: ", 1)[-1] for line in metadata.get("classifier", ()) if line.startswith("License :: ")
    ]
    named = [text for text in of_classifiers if text != "OSI Approved"]
    words = next((line.strip() for line in (metadata.get("license") or "").splitlines() if line.strip("= -")), "")
    return " AND ".join(named) or words or "none named"


def kind_of(licence: str) -> Kind:
    """What a licence allows: of alternatives the freest, of parts that all hold the strictest."""
    text = _RUNTIME_EXCEPTION.sub("LLVM-exception", licence)
    while inner := re.search(r"\(([^()]*\bOR\b[^()]*)\)", text):
        text = text[: inner.start()] + _BY_KIND[kind_of(inner[1])] + text[inner.end() :]
    if re.search(r"\bOR\b", text):
        return min((_kind_of_parts(part) for part in re.split(r"\bOR\b", text)), key=_ORDER.index)
    return _kind_of_parts(text)


def _kind_of_parts(text: str) -> Kind:
    return max((_kind_of_one(part) for part in re.split(r"\bAND\b|\band\b|;", text)), key=_ORDER.index)


def _kind_of_one(text: str) -> Kind:
    if _WEAK.search(text):
        return "weak copyleft"
    if _FORBIDDEN.search(text):
        return "forbidden"
    return "permissive" if _PERMISSIVE.search(text) else "unknown"


def audit(every: Iterable[Mapping[str, Any]]) -> list[Package]:
    """Check all packages, and part those that users of amsunet need from those for work on it."""
    known = {canonicalize_name(metadata["name"]): metadata for metadata in every}
    needed = _closure(known)
    return [
        Package(metadata["name"], metadata["version"], text, kind_of(text), name in needed)
        for name, metadata in sorted(known.items())
        for text in [licence_of(metadata)]
    ]


def _closure(known: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The names of all packages that amsunet, or an extra for its users, needs in the end."""
    ours = known.get("amsunet")
    if ours is None:
        raise SystemExit("amsunet is not among the packages: install it, or name a --report of what would be")
    extras = [extra for extra in ours.get("provides_extra", ()) if extra not in TOOLS]
    wanted = [("amsunet", extra) for extra in ("", *extras)]
    found: set[tuple[str, str]] = set()
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in found or name not in known:
            continue
        found.add((name, extra))
        for text in known[name].get("requires_dist", ()):
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                wanted += [(canonicalize_name(one.name), more) for more in ("", *one.extras)]
    return {name for name, _ in found} - {"amsunet"}


def _installed() -> list[Mapping[str, Any]]:
    return [one.metadata.json for one in importlib.metadata.distributions()]


def _reported(path: Path) -> list[Mapping[str, Any]]:
    return [one["metadata"] for one in json.loads(path.read_text(encoding="utf-8"))["install"]]


def _weights() -> list[str]:
    """The trained networks that come with amsunet, with what their licence allows; a package of Python they are not."""
    cards = sorted((ROOT / "src" / "amsunet" / "zoo").glob("*.json"))
    return [
        f"{path.stem}: {'research only' if json.loads(path.read_text(encoding='utf-8'))['research_only'] else 'free'}"
        for path in cards
    ]


def main() -> None:
    """Print what there is, and end with exit code 1 if something may not be installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, help="what pip would install, in place of what is installed")
    report = parser.parse_args().report
    packages = [one for one in audit(_reported(report) if report else _installed()) if one.name != "amsunet"]
    for needed, title in ((True, "needed by amsunet or an extra"), (False, "only for work on amsunet")):
        ones = [one for one in packages if one.needed is needed]
        print(f"{title}: {len(ones)} packages, {sum(one.kind == 'permissive' for one in ones)} of them permissive")
        for one in ones:
            if one.kind != "permissive":
                print(f"  {one.kind}: {one}")
    print(f"weights, under terms of their own (src/amsunet/zoo/LICENSE.md): {', '.join(_weights())}")
    wrong = [one for one in packages if one.kind == "forbidden" or (one.kind == "unknown" and one.needed)]
    if wrong:
        sys.exit(f"error: {len(wrong)} packages may not be installed: {'; '.join(map(str, wrong))}")


if __name__ == "__main__":
    main()
