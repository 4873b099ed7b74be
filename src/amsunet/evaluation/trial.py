"""One trial of a study in a process of its own: ``python -m amsunet.evaluation.trial STUDY NAME python|shell``.

A process of its own gives its memory back, and takes nothing with it if the system kills it for want of memory.
"""

from __future__ import annotations

import _thread
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import cast

from filelock import Timeout

from amsunet.console import shown
from amsunet.device import choose_device
from amsunet.errors import InputError
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.study import Study, Trial, read_study, trial_folder
from amsunet.file_lock import file_lock
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.memory import keep_freed_memory, require_addresses
from amsunet.training.checkpoint import has_checkpoint, remove_checkpoints
from amsunet.training.train import resume, train
from amsunet.training.train_result import TrainResult
from amsunet.wording import Place, spelled_for

STOPPED = 130
_WAIT = 300
"""Seconds."""


def run_trial(out: Path, name: str) -> bool:
    """Train a trial, or go on with it, and evaluate it. Returns whether it came to its end.

    Raises:
        InputError: If it cannot be trained.
    """
    study = read_study(out)
    trial = next(trial for trial in study.trials() if trial.name == name)
    folder = trial_folder(out, trial)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A trial whose parent was killed may still be saving what it had reached.
    with file_lock(folder.with_name(f"{trial.name}.lock"), timeout=_WAIT):
        if has_checkpoint(folder):
            training = resume(folder, study.source, model_file=trial.variant.model_file)
        else:
            shutil.rmtree(folder, ignore_errors=True)  # of a trial that was killed before its first epoch had ended
            training = _train(study, trial, folder)
        if training.interrupted:
            return False
        evaluate(
            folder,
            split=trial.split,
            options=RuntimeOptions.on(training.device),
            model_file=trial.variant.model_file,
        )
        remove_checkpoints(folder)  # the largest files of a run, of no more use
    return True


def _train(study: Study, trial: Trial, folder: Path) -> TrainResult:
    return train(
        study.source,
        study.settings_of(trial),
        out=folder,
        data_options=study.data_options.model_copy(update={"splits": study.splits_of(trial)}),
        device=choose_device(study.device, study.precision_of(trial.variant)),
    )


def _stop_with_the_parent() -> None:
    """Press Ctrl-C when the process at the other end of standard input is gone."""
    sys.stdin.read()
    _thread.interrupt_main()


if __name__ == "__main__":
    # Shells start background commands deaf to Ctrl-C, so the parent's end is noticed here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        require_addresses()
        threading.Thread(target=_stop_with_the_parent, daemon=True).start()
        keep_freed_memory()
        # Into the log of the trial, whose last line the study shows.
        with shown(), spelled_for(cast(Place, sys.argv[3])):
            sys.exit(0 if run_trial(Path(sys.argv[1]), sys.argv[2]) else STOPPED)
    except InputError as error:
        sys.exit(str(error))
    except Timeout:
        sys.exit(f"another process has been at work on this trial for {_WAIT} seconds: end it")
    except KeyboardInterrupt:
        sys.exit(STOPPED)
