"""A training in several processes, on one machine or many: what they send each other.

The first process does all that one process does: it reads the data, plans, writes files, shows what happens, evaluates.
It announces each training that it begins to the others (``Group.announce``), which take their part of every step and of
every validation, and wait for the next one (``Group.follow``). A process that is alone is a group of one, in which
nothing is sent.

    with joined(find_place()) as group:
        code = group.follow(fit) if not group.is_first else ...

The group is a context variable, as progress is: it would travel through ten functions. What
Lightning is given of the group is in ``data_parallel``.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from amsunet.device import Device
from amsunet.errors import InputError
from amsunet.progress import reported_to
from amsunet.training.checkpoint import LAST, save_checkpoint
from amsunet.training.plan_schema import USER_SET, Plan
from amsunet.training.processes import Place
from amsunet.wording import command, setting

if TYPE_CHECKING:
    import pytorch_lightning as pl

Value = TypeVar("Value")

SILENCE = timedelta(minutes=10)
"""Of a process, after which the others take it for lost; one that has ended is noticed at once."""
_BEAT = 60.0
"""Seconds between two signs of life of a first process that works alone."""


class EndedElsewhereError(Exception):
    """The first process describes what ends this one."""


@dataclass(frozen=True)
class _End:
    """The first process has ended."""

    code: int


class Group:
    """The processes of a training, as one of them sees it."""

    def __init__(self, place: Place | None = None) -> None:
        self.rank, self.size = (0, 1) if place is None else (place.rank, place.size)
        self.place = place
        """None where it is alone."""
        self._speaking = threading.Lock()
        self._training = False
        """Whether the others are in a training, and not waiting for one."""

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and shows."""
        return self.rank == 0

    def reasons(self, plan: Plan) -> dict[str, str]:
        """What the plan says of the settings that several processes give another meaning."""
        if self.size == 1:
            return {}
        crops = f"{plan.batch_size * self.size} crops of {self.size} processes in a step"
        reasons = {"batch_size": f"of each process: {crops}", "learning_rate": f"that of one process, for {crops}"}
        return {name: why for name, why in reasons.items() if plan.reasons.get(name) != USER_SET}

    def broadcast(self, value: Value) -> Value:
        """What the first process gives, in all of them."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0, device=torch.device("cpu"))
        return values[0]

    def gather(self, value: Value) -> list[Value]:
        """What each process gives, by rank, in all of them."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether each flag is set in some process; costs a message of some bytes."""
        if self.size == 1:
            return flags
        tensor = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tuple(map(bool, tensor.tolist()))

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size == 1:
            return value
        total = value.detach().cpu().double()
        dist.all_reduce(total)
        return total.to(value)

    def first(self, function: Callable[[], Value]) -> Value:
        """What ``function`` gives in the first process, which alone calls it.

        Raises:
            InputError: In the first process, if it raises one.
            EndedElsewhereError: In the others then.
        """
        if self.size == 1:
            return function()
        found: Value | InputError | None = None
        if self.is_first:
            try:
                found = function()
            except InputError as error:
                found = error
        found = self.broadcast(found)
        if isinstance(found, InputError):
            raise found if self.is_first else EndedElsewhereError
        return found  # type: ignore[return-value]

    def share_buffers(self, module: nn.Module) -> None:
        """Take the buffers of the first process, as the running statistics of batch normalization."""
        if self.size > 1:
            for buffer in module.buffers():
                value = buffer.detach().cpu()
                dist.broadcast(value, 0)
                buffer.copy_(value)

    def announce(self, training: Mapping[str, Any]) -> None:
        """Have the others begin the training that the first process begins.

        Args:
            training: The arguments of the function that they follow with.
        """
        if self.size > 1 and self.is_first:
            with self._speaking:
                self._training = True
                self.broadcast(training)

    def trained(self) -> None:
        """The training has come to its end: the others wait for the next one."""
        self._training = False

    def follow(self, train: Callable[..., object]) -> int:
        """Take part in the trainings that the first process begins, without a word, until it ends.

        Args:
            train: Takes what ``announce`` was given.

        Returns:
            Its exit code.

        Raises:
            InputError: If it is lost.
        """
        logging.getLogger("amsunet").setLevel(logging.CRITICAL)
        # But for its trainings, which have handlers of their own: the first one answers, and this one ends with it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with reported_to(None):
            while True:
                with loss_described():
                    announced: Any = self.broadcast(None)
                if isinstance(announced, _End):
                    return announced.code
                if announced is not None:
                    try:
                        train(**announced)
                    except EndedElsewhereError:
                        return 2

    def end(self, code: int) -> None:
        """Let the others end too, if they are waiting; those in a training notice it by themselves."""
        if self.size > 1 and self.is_first and not self._training:
            with self._speaking, suppress(RuntimeError):
                self.broadcast(_End(code))

    @contextmanager
    def _alive(self) -> Iterator[None]:
        """Meanwhile give signs of life while the others wait: how long reading or evaluating takes nobody knows."""
        ended = threading.Event()

        def beat() -> None:
            with suppress(RuntimeError):
                while not ended.wait(_BEAT):
                    with self._speaking:
                        if not self._training and not ended.is_set():
                            self.broadcast(None)

        if not self.is_first:
            yield
            return
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()

    def check(self, device: Device) -> None:
        """Raise InputError if the processes cannot train on this kind of device."""
        if self.place is None or device.type == "cpu":
            return
        if device.type != "cuda":
            raise InputError(f"several processes train on GPUs of CUDA or on the CPU: set {setting(device='cpu')}")
        count = torch.cuda.device_count()
        if (self.place.local_size or 1) > count:
            raise InputError(
                f"{self.place.local_size} processes need as many GPUs, and this machine has {count}: set "
                f"{setting(devices=count)}, or {setting(device='cpu')}"
            )

    def part(self, items: Sequence[Value]) -> Sequence[Value]:
        """The items that this process validates: every second one, where there are two."""
        return items[self.rank :: self.size]

    def save(self, run: Path, trainer: pl.Trainer) -> None:
        """Save the state of a training; all processes take part, and the first one writes."""
        if self.is_first:
            save_checkpoint(run, trainer.save_checkpoint)
        else:
            trainer.save_checkpoint(run / LAST)


_GROUP: ContextVar[Group] = ContextVar("amsunet.training.distributed", default=Group())  # noqa: B039 - it has no state


def current_group() -> Group:
    """The group that this process is in: of one, unless it has joined another."""
    return _GROUP.get()


@contextmanager
def joined(place: Place | None) -> Iterator[Group]:
    """Meanwhile be one of the processes of a training; alone where ``place`` is None.

    Raises:
        InputError: If the others are not found.
    """
    if place is None:
        yield current_group()
        return
    if not dist.is_available():
        raise InputError("this build of torch knows one process alone: install another, or start the command once")
    os.environ.setdefault("OMP_NUM_THREADS", str(torch.get_num_threads()))  # Lightning would choose another number
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    os.environ |= {"MASTER_ADDR": place.address, "MASTER_PORT": str(place.port)}
    try:
        dist.init_process_group(backend, rank=place.rank, world_size=place.size, timeout=SILENCE)
    except RuntimeError as error:
        raise InputError(
            f"the {place.size} processes of this training did not find each other at {place.address}:{place.port} "
            f"({str(error).splitlines()[0][:120]}): start all of them, where they reach each other"
        ) from None
    group = Group(place)
    token = _GROUP.set(group)
    code, failed = 0, False
    try:
        with group._alive():
            yield group
    except BaseException as error:
        code, failed = getattr(error, "exit_code", 2), not hasattr(error, "exit_code")
        raise
    finally:
        _GROUP.reset(token)
        group.end(code)
        if not failed:  # else some of them may be gone, and taking leave of these waits
            dist.destroy_process_group()


@contextmanager
def loss_described(run: Path | None = None) -> Iterator[None]:
    """Turn an error of torch on a closed socket into a sentence: another process is lost.

    Args:
        run: The run folder, where there is one yet.

    Raises:
        InputError: If it is; and for a network that several processes cannot train.
    """
    try:
        yield
    except RuntimeError as error:
        group = current_group()
        if group.size > 1 and "Expected to have finished reduction" in str(error):
            if not group.is_first:
                raise EndedElsewhereError from None
            raise InputError(
                "several processes cannot train this network: some of its weights have no part in what it gives; "
                "remove them from it, or train in one process"
            ) from None
        if group.size == 1 or not (isinstance(error, dist.DistError) or "gloo" in str(error)):
            raise
        remedy = "start it again" if run is None else f"{command('resume', run)} goes on, once its cause is removed"
        raise InputError(f"another process of this training has ended or is not reached any more: {remedy}") from None
