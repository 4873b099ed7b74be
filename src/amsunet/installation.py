"""What is installed beside amsunet, what that can do on this machine, and what is wrong with it."""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amsunet import __version__
from amsunet.import_probe import import_all
from amsunet.memory import free_memory
from amsunet.optional import EXTRAS, install_command

BASE = "base"
_TOOLS = ("dev", "docs")
"""Extras for work on amsunet itself."""
_MODULES = {"pillow": "PIL", "python-gdcm": "gdcm", "scikit-image": "skimage", "openslide-python": "openslide"}
"""What a package is imported as, where that is not its name with underscores."""
_REQUIREMENT = re.compile(r"([\w.-]+)(\[[^]]*\])?([^;]*)(?:;.*extra *== *['\"](\w+)['\"])?")
_FORMATS = {
    "onnx": ("train", "export"),
    "openvino": ("train", "export", "openvino"),
    "pt2": ("train",),
    "executorch": ("train", "mobile"),
}
"""The extras that each export format needs."""
_DRIVERS = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidiactl"), Path("/dev/dxg"))
"""One of them is there where the driver of an NVIDIA GPU is (Linux, WSL)."""
_LITTLE_MEMORY = 2 << 30
_LITTLE_DISK = 1 << 30


@dataclass(frozen=True)
class Package:
    """A package that amsunet needs, always or for an extra."""

    name: str
    bounds: str
    """Of its version, as ``>=2.10``."""
    version: str | None = None
    """None of one that is not installed."""
    error: str = ""
    """Why it cannot be imported."""

    @property
    def module(self) -> str:
        """What it is imported as."""
        return _MODULES.get(self.name, self.name.replace("-", "_"))

    def __str__(self) -> str:
        return f"{self.name} {self.version or 'not installed'}"


@dataclass
class Installation:
    """What ``inspect_installation`` found."""

    packages: dict[str, list[Package]]
    """By extra, and those of the base installation under ``base``."""
    abilities: dict[str, str]
    """What can be done here, or what to install for it."""
    machine: dict[str, Any]
    problems: list[str] = field(default_factory=list)
    """Each with its remedy."""
    notes: list[str] = field(default_factory=list)
    """What may be as it is meant to be."""
    versions: dict[str, str] = field(
        default_factory=lambda: {
            "amsunet": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
        }
    )

    def lacks(self, extra: str) -> list[str]:
        """The packages of an extra that are not installed or cannot be imported."""
        return [one.name for one in self.packages.get(extra, ()) if one.version is None or one.error]


def inspect_installation() -> Installation:
    """Look at what is installed, import all of it in a process of its own, and compare it with what amsunet needs.

    Returns:
        What there is, what it can do here, and what is wrong.
    """
    packages = read_requirements()
    present = dict.fromkeys(one.module for ones in packages.values() for one in ones if one.version)
    results, openmp = import_all([module for module in present if module != "openslide_bin"])
    for extra, ones in packages.items():
        packages[extra] = [replace(one, error=results.get(one.module, {}).get("error", "")) for one in ones]
    facts = {module: result["facts"] for module, result in results.items()}
    found = Installation(packages, {}, describe_machine())
    found.abilities = describe_abilities(found, facts)
    if not packages[BASE]:
        found.notes.append("amsunet is not installed as a package, so versions are not compared with what it needs")
    elif {*packages} - {BASE} != {*EXTRAS}:
        found.notes.append(
            "amsunet was installed as another version than the one that runs, whose needs may differ: install it again"
        )
    found.problems += [
        *_wrong_packages(found),
        *_wrong_torch(facts.get("torch", {}), gpu=any(path.exists() for path in _DRIVERS)),
        *_mixed_openmp(openmp),
        *_wrong_machine(found.machine),
    ]
    found.notes += filter(None, [facts.get("matplotlib", {}).get("fonts"), *_unusual(facts.get("matplotlib", {}))])
    return found


def read_requirements(name: str = "amsunet") -> dict[str, list[Package]]:
    """What a package says that it needs, by extra, with the versions that are installed."""
    found: dict[str, list[Package]] = {extra: [] for extra in (BASE, *EXTRAS)}
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        lines = [f'{module}; extra == "{extra}"' for extra, modules in EXTRAS.items() for module in modules]
    for line in lines:
        match = _REQUIREMENT.match(line)
        if match is None or match[1] == name or (extra := match[4] or BASE) in _TOOLS:
            continue
        bounds = match[3].strip()
        found.setdefault(extra, []).append(Package(match[1], bounds, _installed(match[1])))
    return found


def _installed(name: str) -> str | None:
    # Of modules, where nothing is known but these.
    names = {"gdcm": "python-gdcm", "openslide": "openslide-python", "skimage": "scikit-image"}
    try:
        return importlib.metadata.version(names.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        return None


def describe_machine() -> dict[str, Any]:
    """Cores, free memory and disk, and which folders can be written to."""
    folders = {"temporary": Path(tempfile.gettempdir()), "working": Path()}
    machine: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "free_memory": None,
    }
    with suppress(ModuleNotFoundError):  # of psutil
        machine["free_memory"] = free_memory()
    for name, folder in folders.items():
        machine[name] = {
            "path": str(folder.absolute()),
            "free": shutil.disk_usage(folder).free,
            "writable": _is_writable(folder),
        }
    return machine


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def describe_abilities(found: Installation, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What can be done with what is installed, or what to install for it.

    Args:
        found: With its packages.
        facts: What ``import_probe`` reported of modules.
    """
    lacking = {extra: install_command(extra) for extra in found.packages if found.lacks(extra)}
    train, slides, openvino = (lacking.get(extra) for extra in ("train", "slides", "openvino"))
    precisions = ", ".join(facts.get("openvino", {}).get("precisions", ()))
    formats = [name for name, extras in _FORMATS.items() if not {*extras} & {*lacking}]
    others = [lacking[extra] for extra in ("train", "export", "mobile") if extra in lacking][:1]
    return {
        "train, evaluate, compare, explain": f"no: {train}" if train else "yes",
        "predict with a run": f"no: {train}" if train else f"torch on {facts.get('torch', {}).get('device', '?')}",
        "predict with an exported file": "ONNX Runtime, OpenVINO "
        + (f"with {openvino}" if openvino else f"({precisions})"),
        "page in a browser": f"networks of the zoo, ONNX files{', runs' * ('onnx' in formats)}",
        "export to": "; ".join([", ".join(formats) or "nothing", *(f"more with {other}" for other in others)]),
        "slides": "TIFF, and formats of vendors" + (f" with {slides}" if slides else ""),
    }


def _wrong_packages(found: Installation) -> Iterator[str]:
    for extra, ones in found.packages.items():
        # Of an extra that is not installed, some packages may be there for another program.
        used = extra == BASE or all(one.version for one in ones)
        for one in ones:
            if one.version is None:
                if extra == BASE:
                    yield f'{one.name} is not installed, which amsunet needs: pip install "{one.name}{one.bounds}"'
            elif one.error:
                yield f"{one} cannot be imported ({one.error}): pip install --force-reinstall {one.name}"
            elif used and not is_within(one.version, one.bounds):
                yield (
                    f"{one} is not among the versions that amsunet works with ({one.bounds}): "
                    f'pip install --upgrade "{one.name}{one.bounds}"'
                )


def is_within(version: str, bounds: str) -> bool:
    """Whether a version lies within bounds as ``>=2.10,<3``; of pre-releases only the numbers count."""
    for sign, bound in re.findall(r"(>=|<=|==|!=|<|>)\s*([\d.]+)", bounds):
        pairs = list(itertools.zip_longest(_numbers(version), _numbers(bound), fillvalue=0))
        left, right = [a for a, _ in pairs], [b for _, b in pairs]
        kept = {">=": left >= right, "<=": left <= right, "==": left == right, "!=": left != right}
        if not (kept | {"<": left < right, ">": left > right})[sign]:
            return False
    return True


def _numbers(version: str) -> list[int]:
    release = re.match(r"[\d.]*", version)
    return [int(part) for part in (release[0] if release else "").split(".") if part]


def _wrong_torch(facts: Mapping[str, Any], *, gpu: bool) -> Iterator[str]:
    if facts.get("cuda_build") and not facts["cuda"]:
        yield (
            f"torch is a build for CUDA {facts['cuda_build']} and finds no GPU, so it runs on the processor: install "
            "the driver of the GPU, or, where there is none, the build of torch for processors, gigabytes smaller"
        )
    if facts and gpu and not facts.get("cuda_build"):
        yield (
            "this machine has an NVIDIA GPU, and torch is a build for processors, which leaves it unused: install a "
            "build of torch for CUDA"
        )


def _mixed_openmp(paths: Sequence[str]) -> Iterator[str]:
    kinds = {match[0] for path in paths if (match := re.search("gomp|iomp5|omp(?=[.-])", Path(path).name))}
    if len(kinds) > 1:
        yield (
            f"packages load OpenMP of {len(kinds)} makers ({', '.join(paths)}), whose threads get in each other's "
            "way or stop the program: install all packages with pip, or all with conda, into a new environment"
        )


def _wrong_machine(machine: Mapping[str, Any]) -> Iterator[str]:
    for name in ("temporary", "working"):
        folder = machine[name]
        if not folder["writable"] and name == "temporary":
            yield f"{folder['path']}, the folder for temporary files, cannot be written to: set TMPDIR to another one"
        elif folder["free"] < _LITTLE_DISK:
            yield f"{folder['path']} has only {folder['free'] / 1e9:.1f} GB free: free some space, or work elsewhere"
    memory = machine["free_memory"]
    if memory is not None and memory < _LITTLE_MEMORY:
        yield f"only {memory / 1e9:.1f} GB of memory are free: close other programs before you train"


def _unusual(matplotlib: Mapping[str, Any]) -> Iterator[str]:
    if matplotlib.get("temporary"):
        yield (
            "Matplotlib cannot keep its list of fonts, and looks for them anew each time: set MPLCONFIGDIR to a folder "
            "that can be written to"
        )
