"""Commands of ``amsunet``, each in a fork of this process, which has imported everything and computed nothing.

It reads a line of JSON for each command, and answers with one. A command in a process of its own would take seconds to
import what it needs.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from captures import share
from faults import put_on
from PIL import Image

_MODULES = (
    "amsunet.cli", "amsunet.training.train", "amsunet.training.check", "amsunet.training.folds",
    "amsunet.evaluation.compare", "amsunet.evaluation.report", "amsunet.evaluation.trial", "amsunet.evaluation.explain",
    "amsunet.inference.predict_files", "amsunet.inference.slide", "amsunet.deployment.export", "lightning_fabric",
    "torch.onnx", "onnxscript", "onnxruntime", "openvino", "tensorboard", "matplotlib.pyplot",
    "skimage.measure", "scipy.ndimage", "torch.utils.tensorboard", "monai.inferers", "kornia.augmentation",
)  # fmt: skip
LIMIT = 600
"""Seconds after which a command is said to hang, on a machine that is busy too."""


def main() -> None:
    for name in _MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: {error}", file=sys.stderr)
    Image.init()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    print("ready", file=answers)
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), file=answers)


def _run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one command in a fork."""
    told, start = Path(job["told"]), time.monotonic()
    pipes = [os.pipe(), os.pipe()]  # no file: these may be limited
    process = os.fork()
    if not process:
        _leave(lambda: _command(job, [write for _, write in pipes], told))
    with ThreadPoolExecutor(len(pipes)) as pool:
        out, err = pool.map(_read_all, pipes)
    _, status, used = os.wait4(process, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "out": out,
        "err": err,
        "told": told.read_text(encoding="utf-8").splitlines() if told.exists() else [],
        "processor_seconds": used.ru_utime + used.ru_stime,
        "megabytes": used.ru_maxrss >> 10,
        "seconds": time.monotonic() - start,
    }


def _read_all(pipe: tuple[int, int]) -> str:
    os.close(pipe[1])
    with open(pipe[0], "rb") as file:  # noqa: PTH123 - has no path
        return file.read().decode("utf-8", "replace")


def _leave(do: Any) -> None:
    """Do it, and end this process without what a parent would do at its end."""
    code: Any = 0
    try:
        do()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code or 0)


def _command(job: dict[str, Any], streams: list[int], told: Path) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
    os.closerange(3, 4096)
    os.chdir(job["folder"])
    signal.setitimer(signal.ITIMER_REAL, job.get("limit", LIMIT))  # nothing catches SIGALRM
    fault = job.get("fault") or {}
    share(Path(job["captures"]))
    _fork_trials(fault if fault.get("process") == "trial" else {}, told)
    if fault.get("process") != "trial":
        put_on(fault, told)
    module, _, function = job.get("call", "amsunet.cli:main").partition(":")
    sys.argv = ["amsunet", *job["words"]]
    getattr(importlib.import_module(module), function)()


def _fork_trials(fault: dict[str, Any], told: Path) -> None:
    """Have a study run its trials in forks too; the first of them gets the fault."""
    queue = importlib.import_module("amsunet.evaluation.trial_queue")
    left = [fault]

    def start(out: Path, trial: Any, threads: int) -> Any:
        log = out / "cells" / f"{trial.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        read, write = os.pipe()
        given = left.pop() if left else {}
        process = os.fork()
        if not process:
            os.dup2(read, 0)
            for number in (1, 2):
                os.dup2(os.open(log, os.O_TRUNC | os.O_WRONLY), number)
            os.closerange(3, 4096)  # locks of the study among them
            sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115
            put_on(given, told)
            sys.argv = ["trial", str(out), trial.name, "shell"]
            _leave(lambda: runpy.run_module("amsunet.evaluation.trial", run_name="__main__", alter_sys=True))
        os.close(read)
        return _Started(process, write)

    queue._start = start  # type: ignore[attr-defined]


class _Started:
    """What ``TrialProcess`` is to a study."""

    def __init__(self, process: int, write: int) -> None:
        self._process, self.returncode = process, None
        self.stop, self.reason = lambda: os.close(write), ""

    def poll(self) -> int | None:
        if self.returncode is None:
            found, status = os.waitpid(self._process, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if found else None
        return self.returncode

    def wait(self) -> int | None:
        while self.poll() is None:
            time.sleep(0.05)
        return self.returncode


if __name__ == "__main__":
    main()
