"""Importing packages in a process of its own, which prints what happens, as lines of JSON.

A broken package may raise whatever it likes, print, hang, or end the process.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from amsunet.errors import first_line
from amsunet.optional import require, without_telemetry
from amsunet.text_files import parse_json

_MAPS = Path("/proc/self/maps")
_OPENMP = re.compile(r"/[^\s]*/(lib(?:gomp|iomp5|omp)[^/\s]*)$", re.MULTILINE)
_TEXTS = ("한국어", "中文", "日本語")
"""Names that are shown in many places where the usual fonts have no characters for them."""
_CONFIGURED = os.environ.get("MPLCONFIGDIR")
"""Matplotlib's folder as it was set before anything was imported."""
_LONGEST = 600
"""Seconds that all imports together may take."""


def import_all(modules: Sequence[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Import modules in other processes: a new one goes on after one that a package ended.

    Returns:
        What ``probe`` reported of each module, and the libraries of OpenMP that they loaded.
    """
    left, results, openmp = list(modules), dict[str, dict[str, Any]](), list[str]()
    while left:
        command = [sys.executable, "-m", "amsunet.import_probe", *left]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                timeout=_LONGEST,
                check=False,
            )
            output, end = done.stdout, _how_it_ended(done.returncode)
        except subprocess.TimeoutExpired as error:
            output, end = (error.stdout or b"").decode("utf-8", "replace"), f"takes over {_LONGEST} seconds"
        lines = [parse_json(line) for line in output.splitlines() if line.endswith("}")]
        results |= {line["module"]: line for line in lines if "module" in line}
        openmp = next((line["openmp"] for line in lines if "openmp" in line), openmp)
        left = [module for module in left if module not in results]
        if left:
            broken = next((line["begins"] for line in reversed(lines) if "begins" in line), left[0])
            results[broken] = {"error": end, "facts": {}}
            left = [module for module in left if module != broken]
    return results, openmp


def _how_it_ended(code: int) -> str:
    return f"ends the process with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"


def probe(modules: list[str], report: Callable[[dict[str, Any]], None]) -> None:
    """Import modules in this process.

    Args:
        modules: Their names, in their order.
        report: Gets ``{"begins": MODULE}`` before each, ``{"module", "seconds", "error", "facts"}`` after it, and
            at the end ``{"openmp": PATHS}``, the libraries of OpenMP that were loaded.
    """
    for module in modules:
        report({"begins": module})
        start, facts, problem = time.perf_counter(), {}, ""
        try:
            with without_telemetry():
                import_module(module)
            facts = _FACTS.get(module, dict)()
        except Exception as error:  # whatever a broken package raises
            problem = f"{type(error).__name__}: {first_line(error)}"
        report({"module": module, "seconds": time.perf_counter() - start, "error": problem, "facts": facts})
    report({"openmp": _openmp()})


def _of_torch() -> dict[str, Any]:
    """What a prediction and a training run on; both need the extra ``train``, which brings psutil."""
    import torch  # noqa: PLC0415 - only here is it known to be installed

    facts: dict[str, Any] = {"cuda_build": torch.version.cuda, "cuda": torch.cuda.is_available()}
    facts["threads"] = torch.get_num_threads()
    try:
        from amsunet.device import choose_device  # noqa: PLC0415

        facts["device"] = str(choose_device())
    except ModuleNotFoundError:
        pass
    return facts


def _of_openvino() -> dict[str, Any]:
    openvino = require("openvino")
    known = {"FP32": "float32", "BF16": "bfloat16", "FP16": "float16", "INT8": "int8"}
    offered = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return {"precisions": [name for key, name in known.items() if key in offered]}


def _of_matplotlib() -> dict[str, Any]:
    from matplotlib import get_cachedir  # noqa: PLC0415

    from amsunet.data.fonts import describe_missing_fonts  # noqa: PLC0415

    # Where its own folder cannot be written to, Matplotlib sets the variable to a folder that goes with the process.
    temporary = get_cachedir() == os.environ.get("MPLCONFIGDIR") != _CONFIGURED
    return {"temporary": temporary, "fonts": describe_missing_fonts(_TEXTS)}


_FACTS: dict[str, Callable[[], dict[str, Any]]] = {
    "torch": _of_torch,
    "openvino": _of_openvino,
    "matplotlib": _of_matplotlib,
}


def _openmp() -> list[str]:
    """The libraries of OpenMP in this process (Linux)."""
    if not _MAPS.is_file():
        return []
    maps = _MAPS.read_text(encoding="utf-8", errors="replace")
    return sorted({found.group(0) for found in _OPENMP.finditer(maps)})


def _main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what packages print is none of ours

    def report(line: dict[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    probe(sys.argv[1:], report)
    out.flush()
    os._exit(0)  # what goes wrong while a process ends is no import


if __name__ == "__main__":
    _main()
