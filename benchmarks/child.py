"""A figure measured in a process of its own, whose memory and threads are then those of the figure alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from amsunet.errors import InputError, reason_of_end


def measured(*words: object, environment: Mapping[str, str] | None = None, remedy: str = "a smaller size") -> Any:
    """Run a script by this Python and read the JSON that its last line is.

    Args:
        words: The script and its arguments.
        environment: Of the process; this one's when left out.
        remedy: What to try where memory did not suffice.

    Raises:
        InputError: With its last line, if it fails.
    """
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise InputError(reason_of_end(done.returncode, done.stderr, remedy))
    return json.loads(done.stdout.splitlines()[-1])
