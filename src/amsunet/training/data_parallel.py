"""What Lightning and its data loader are given of the processes of a training: each takes its part of every batch."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch.utils.data import Dataset as TorchDataset

from amsunet.device import Device
from amsunet.training.distributed import SILENCE, Group

Value = TypeVar("Value")


def trainer_options(group: Group, device: Device) -> dict[str, Any]:
    """What Lightning's Trainer is given of the processes."""
    if group.place is None:
        return {"devices": 1}
    from pytorch_lightning.strategies import DDPStrategy  # noqa: PLC0415 - seldom needed

    return {
        "devices": [torch.cuda.current_device()] if device.type == "cuda" else 1,
        "num_nodes": group.size,
        "use_distributed_sampler": False,
        # Batch normalization trains by the batch of its process; its buffers are shared before validation.
        "strategy": DDPStrategy(
            cluster_environment=_environment(group.rank, group.size),
            find_unused_parameters=False,
            broadcast_buffers=False,
            timeout=SILENCE,
        ),
    }


def part_of_batches(group: Group, crops: TorchDataset[Value], batch_size: int) -> TorchDataset[Value]:
    """The crops of this process: of each batch of all of them, in the order of one process, its own part.

    Args:
        group: The processes of the training.
        crops: Those of all processes.
        batch_size: Of one process.
    """
    return crops if group.size == 1 else _PartOfBatches(crops, batch_size, group.rank, group.size)


class _PartOfBatches(TorchDataset[Value]):
    def __init__(self, crops: TorchDataset[Value], batch_size: int, rank: int, size: int) -> None:
        self._crops, self._batch_size, self._rank, self._size = crops, batch_size, rank, size

    def __len__(self) -> int:
        return len(self._crops) // self._size  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> Value:
        batch, place = divmod(index, self._batch_size)
        return self._crops[(batch * self._size + self._rank) * self._batch_size + place]


def _environment(rank: int, size: int) -> Any:
    """What Lightning is to take the processes for: machines of one device each, which somebody else has started."""
    from pytorch_lightning.plugins import environments  # noqa: PLC0415 - with Lightning

    class Environment(environments.LightningEnvironment):  # type: ignore[name-defined, misc]
        creates_processes_externally = True

        def local_rank(self) -> int:
            return 0

        def node_rank(self) -> int:
            return rank

        def world_size(self) -> int:
            return size

        def global_rank(self) -> int:
            return rank

        def teardown(self) -> None:
            """Leaves the environment as it is."""

    return Environment()
