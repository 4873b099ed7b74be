"""The training of a network as Lightning runs it, and its learning rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset

from amsunet.data.crops import PreparedImages, evenly, to_tensor
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device
from amsunet.inference.cuda_graphs import captured, free_graphs
from amsunet.inference.forward import compute_logits
from amsunet.inference.torch_runtime import TorchRuntime, standardise
from amsunet.losses import distilled, make_loss
from amsunet.training.distributed import current_group
from amsunet.training.plan import make_augmentation
from amsunet.training.plan_schema import Plan
from amsunet.training.validation import classes_in, dice_by_class

_LEFT_OUT_AT_MOST = 5
"""Steps in a row."""
_POWER = 0.9
"""Of the polynomial decay of the learning rate."""


class DivergedError(Exception):
    """The loss is no longer a number, or the gradient has not been one for several steps."""


class WholeImages(TorchDataset[tuple[Tensor, Tensor]]):
    """At most so many of the images, evenly spread: (C, h, w) and labels (h, w), both uint8, at working size.

    Of these, what this process validates; where it has none, a copy of the first, for every process must have one.
    """

    def __init__(self, images: PreparedImages, most: int) -> None:
        self._images = images
        chosen = evenly(range(len(images)), most)
        mine = current_group().part(chosen)
        self.is_copy = not mine
        self._chosen = mine or chosen[:1]

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, labels = self._images[self._chosen[index]]
        return to_tensor(image), to_tensor(labels)


class SegmentationTask(pl.LightningModule):
    """Batches of crops in, loss out; validation on whole images, as prediction sees them.

    ``total_steps`` is where the learning rate reaches zero; a time budget moves it as the speed shows.
    """

    def __init__(
        self,
        network: nn.Module,
        plan: Plan,
        preprocessing: Preprocessing,
        placement: Device,
        *,
        total_steps: int,
    ) -> None:
        super().__init__()
        self.network = placement.place(network)
        self.plan = plan
        self.preprocessing = preprocessing
        self.placement = placement
        self.total_steps = total_steps
        self.loss = make_loss(plan.loss)
        self.augmentation = make_augmentation(plan, preprocessing.channel_names)
        self.dice_of_images: list[Tensor] = []
        self.loss_of_images: list[Tensor] = []
        self.classes_of_images: list[Tensor] = []
        """Which classes but the background each holds."""
        self._captured: tuple[Callable[[Tensor], Tensor], ...] = ()
        """The training pass once it is captured; in a tuple, or its weights would count as the task's own again."""
        self.steps_left_out = 0
        """In a row, for their gradient was no number."""
        self.diverged = False
        """Whether the loss was no number in one of several processes, the others of which wait for its gradient."""
        self._loss_sum, self._crops_seen = torch.zeros(()), 0
        """Of the epoch so far; a part of it may have been trained before a stop."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        group = current_group()
        seed = (self.plan.seed, self.current_epoch, batch_idx * group.size + group.rank)
        images, labels = self.augmentation(images.float() / 255, labels.long(), seed)
        images = standardise(images, self.preprocessing).contiguous(memory_format=torch.channels_last)
        if not self._captured:
            alone = group.size == 1  # a captured pass would not send the others its gradients
            self._captured = (captured(self.network, images, self.placement) if alone else self.network,)
        loss = distilled(self.loss, self._captured[0](images).float(), labels)
        if not torch.isfinite(loss):
            if group.size == 1:
                raise DivergedError
            self.diverged = True
        self._loss_sum = self._loss_sum.to(loss.device) + loss.detach() * len(images)
        self._crops_seen += len(images)
        return loss

    def train_loss(self) -> float:
        """Mean over the crops of the epoch, of all processes: each of them asks for it."""
        loss_sum, crops = self._sums()
        return float(loss_sum / max(1, crops))

    def _sums(self) -> tuple[Tensor, int]:
        group = current_group()
        return group.sum(self._loss_sum), int(group.sum(torch.tensor(self._crops_seen)))

    def on_train_epoch_start(self) -> None:
        self._loss_sum, self._crops_seen = torch.zeros(()), 0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        loss_sum, crops = self._sums()
        checkpoint["epoch_so_far"] = {
            "loss_sum": loss_sum,
            "crops": crops,
            "steps_left_out": self.steps_left_out,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if so_far := checkpoint.get("epoch_so_far"):
            if current_group().is_first:  # of all processes
                self._loss_sum, self._crops_seen = so_far["loss_sum"], so_far["crops"]
            self.steps_left_out = so_far["steps_left_out"]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # Lightning's own clipping refuses fused optimizers; without a gradient scaler nothing speaks against it.
        norm = torch.nn.utils.clip_grad_norm_(self.parameters(), self.plan.gradient_clip or float("inf"))
        if torch.isfinite(norm):
            self.steps_left_out = 0
            return
        # oneDNN gave such gradients now and then (blocks/depthwise_cpu.py): a step is not worth a training.
        self.steps_left_out += 1
        if self.steps_left_out > _LEFT_OUT_AT_MOST:
            raise DivergedError
        optimizer.zero_grad()

    def on_fit_end(self) -> None:
        self._captured = ()
        free_graphs()

    def on_validation_epoch_start(self) -> None:
        self.dice_of_images, self.loss_of_images, self.classes_of_images = [], [], []
        current_group().share_buffers(self)

    def gather_validation(self) -> None:
        """Take the figures of all images, in their order, from the processes that have validated a part each.

        Raises:
            DivergedError: In all of them, if a loss is not a number in one.
        """
        group = current_group()
        if group.size == 1:
            return
        mine = list(zip(self.dice_of_images, self.loss_of_images, self.classes_of_images, strict=True))
        dataset = self.trainer.val_dataloaders.dataset  # type: ignore[union-attr]
        parts = group.gather([] if dataset.is_copy else mine)
        figures = [part[place] for place in range(len(parts[0])) for part in parts if place < len(part)]
        self.dice_of_images, self.loss_of_images, self.classes_of_images = map(list, zip(*figures, strict=True))
        if not torch.isfinite(torch.stack(self.loss_of_images)).all():
            raise DivergedError

    def validation_loss(self) -> float:
        """Mean over the images."""
        return float(sum(self.loss_of_images, torch.zeros(())) / len(self.loss_of_images))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        image, labels = batch
        at_work = TorchRuntime(self.network, self.preprocessing, self.placement)
        logits = torch.from_numpy(compute_logits(at_work, image.cpu().numpy()))
        loss = self.loss(logits, labels.cpu().long())
        if not torch.isfinite(loss) and current_group().size == 1:
            raise DivergedError  # before these weights are taken for the best
        self.log("val_loss", loss, batch_size=1)
        self.loss_of_images.append(loss)
        self.dice_of_images.append(dice_by_class(torch.softmax(logits, dim=1), labels.cpu(), 0.5))
        self.classes_of_images.append(classes_in(labels, logits.shape[1]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), self.plan.learning_rate, weight_decay=self.plan.weight_decay, fused=True
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: learning_rate_factor(step, warmup_steps=self.warmup_steps, total_steps=self.total_steps),
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @property
    def warmup_steps(self) -> int:
        """One epoch as the paper has it, but no more than a tenth of the training."""
        return max(1, min(self.plan.steps_per_epoch or 1, self.total_steps // 10))


def learning_rate_factor(step: int, *, warmup_steps: int, total_steps: int) -> float:
    """Factor on the learning rate: linear warm-up, then polynomial decay.

    From 0.001 to 1 over the warm-up, then (1 - progress) ** 0.9 down to 0 at the end.

    Source:
        The released recipe of AMSUnet, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        step: Optimizer steps done.
        warmup_steps: Of the linear part.
        total_steps: Where it reaches 0.
    """
    if step < warmup_steps:
        return 0.001 + 0.999 * step / warmup_steps
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return float(max(0.0, 1.0 - progress) ** _POWER)
