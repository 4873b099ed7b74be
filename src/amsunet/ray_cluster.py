"""Ray on this machine, or the cluster that it is part of: started and left, with nothing reported to Ray's maker."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amsunet.errors import InputError, first_line
from amsunet.optional import require
from amsunet.wording import setting

_STORE_BYTES = 256 << 20
"""Of memory that Ray sets aside for what travels."""
_ENVIRONMENT = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # what matters is raised too
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to Ray's maker
    "RAY_worker_niceness": "0",  # as eager as a command without Ray
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # and no warning about how GPUs will be hidden in another version
}


@contextmanager
def connected(address: str | None = None, processors: int | None = None) -> Iterator[dict[str, float]]:
    """Be part of a cluster, or have one on this machine meanwhile; a host that is part of one already stays so.

    Args:
        address: Of a cluster; without it, workers are started on this machine.
        processors: How many of these there are to be, on this machine; as many as it has when left out.

    Yields:
        What the cluster has, by name.

    Raises:
        InputError: If no cluster answers, or Ray does not start.
    """
    ray = require("ray")
    if ray.is_initialized():
        yield ray.cluster_resources()
        return
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        _start(ray, address, processors)
        if signal.getsignal(signal.SIGTERM) is not on_terminate:  # Ray's own leaves the lists as they are
            signal.signal(signal.SIGTERM, on_terminate)
        yield ray.cluster_resources()
    finally:
        ray.shutdown()
        for name in added:
            os.environ.pop(name, None)


def _start(ray: Any, address: str | None, processors: int | None) -> None:
    """Join the cluster of an address, or start workers here.

    Raises:
        InputError: If none answers, or Ray does not start.
    """
    quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address:
        try:
            ray.init(address, **quietly)
        except (ConnectionError, ValueError) as error:
            raise InputError(
                f"no Ray cluster answers at {address} ({first_line(error)}): check {setting('address')}"
            ) from None
        return
    for last in (False, False, True):  # on a busy machine Ray gives up waiting for itself, and its files are read now
        try:
            ray.init("local", num_cpus=processors, include_dashboard=False, object_store_memory=_STORE_BYTES, **quietly)
            return
        except Exception as error:  # of no kind of its own
            ray.shutdown()
            if last:
                raise InputError(
                    f"Ray does not start here ({first_line(error)}): close other programs, or leave "
                    f"{setting(engine='ray')} out"
                ) from error
