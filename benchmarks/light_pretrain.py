"""One light network trained on many targets together: encoder and decoder are shared, each target has a head.

A step sees crops of every target, so that BatchNorm knows all of them. Grey images come in three channels. What comes
out is a run folder, that of the first target, from which any training can start:

    python benchmarks/light_pretrain.py DATA DATA ... --out runs/light/joint [--model amsunet_lite] [--steps 20000]
    amsunet train OTHER --model amsunet_lite --pretrained runs/light/joint

The other heads are in heads.safetensors beside it. Only training images are learnt from; Dice on each target's
validation images is in joint.json. To evaluate the start on a data set, leave that one out. A stopped command goes on.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from amsunet.atomic_io import atomic_write, write_json
from amsunet.console import shown
from amsunet.data.crops import Crops, PreparedImages, to_tensor
from amsunet.data.duplicates import pack_thumbnail
from amsunet.data.preprocessing import Preprocessing
from amsunet.device import Device, choose_device, environment
from amsunet.errors import InputError
from amsunet.inference.forward import compute_logits
from amsunet.inference.model_file import build_network, save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.torch_runtime import TorchRuntime, standardise
from amsunet.losses import make_loss
from amsunet.memory import keep_freed_memory
from amsunet.training.lightning_module import learning_rate_factor
from amsunet.training.plan import make_augmentation
from amsunet.training.plan_schema import Plan
from amsunet.training.precision import faster_precision, with_precision
from amsunet.training.prepare import Preparation, fit_preprocessing, prepare
from amsunet.training.run_folder import RunConfig, RunData, absolute_source, write_run
from amsunet.training.validation import dice_by_class

logger = logging.getLogger("amsunet.benchmarks")
STATE = "joint.pt"
_DECAY = 0.999


class JointNetwork(nn.Module):
    """A network with a head for each target.

    Args:
        body: A network whose last layer is its ``head``, a 1x1 convolution.
        classes: Of each target.

    Raises:
        InputError: For another network.
    """

    def __init__(self, body: nn.Module, classes: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(head := getattr(body, "head", None), nn.Conv2d):
            raise InputError(f"{type(body).__name__} does not end in a convolution named head: choose another --model")
        width = head.in_channels
        body.head = nn.Identity()
        self.body = body
        self.heads = nn.ModuleList(nn.Conv2d(width, count, 1) for count in classes)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Logits of each target, of its part of the batch: as many images of each, in their order."""
        features = self.body(images).chunk(len(self.heads))
        return [head(part) for head, part in zip(self.heads, features, strict=True)]

    def weights_for(self, target: int) -> dict[str, Tensor]:
        """The weights of the plain network of one target."""
        head = {f"head.{name}": value for name, value in self.heads[target].state_dict().items()}
        return self.body.state_dict() | head


@dataclass(frozen=True)
class Target:
    """A data set that is learnt."""

    name: str
    prepared: Preparation
    preprocessing: Preprocessing
    crops: Crops
    """Those of the whole training."""
    validation: PreparedImages

    @property
    def plan(self) -> Plan:
        """How its images are cut and changed, and what all share."""
        return self.prepared.plan

    @property
    def classes(self) -> int:
        """Background included."""
        return self.prepared.dataset.convention.num_classes

    def batch(self, step: int, seed: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Crops of a step, standardised, and their labels."""
        count = self.plan.batch_size
        pairs = [self.crops[step * count + place] for place in range(count)]
        images, labels = (torch.stack(part) for part in zip(*pairs, strict=True))
        images, labels = make_augmentation(self.plan)(images.float() / 255, labels.long(), (*seed, step))
        return standardise(images, self.preprocessing), labels


def open_targets(sources: Sequence[str], settings: dict[str, Any], steps: int) -> list[Target]:
    """Prepare data sets to be learnt together.

    Args:
        sources: As ``train`` takes them.
        settings: Of all of them; crops must be of one size.
        steps: Of the training.

    Raises:
        InputError: For one that cannot be trained on.
    """
    targets = []
    for source in sources:
        prepared = prepare(source, settings, device="cpu")
        plan, dataset = prepared.plan, prepared.dataset
        preprocessing = fit_preprocessing(plan, dataset, prepared.of("train"), prepared.fingerprint)
        training, validation = (
            PreparedImages(prepared.of(split), dataset.convention, preprocessing, dataset)  # type: ignore[arg-type]
            for split in ("train", "val")
        )
        crops = Crops(
            training,
            size=plan.crop,
            length=steps * plan.batch_size,
            seed=plan.seed,
            foreground_fraction=plan.foreground_fraction,
        )
        name = Path(source.removeprefix("sample:")).name
        targets.append(Target(name, prepared, preprocessing, crops, validation))
    return targets


def train_jointly(network: JointNetwork, targets: Sequence[Target], steps: int, out: Path, device: Device) -> nn.Module:
    """Train, or go on, and keep what was reached now and then.

    Args:
        network: Where it begins.
        targets: What is learnt.
        steps: Optimizer steps in all.
        out: A folder for the state.
        device: Where, and in which precision.

    Returns:
        The moving average of the weights.
    """
    plan = targets[0].plan
    losses = [make_loss(target.plan.loss) for target in targets]
    optimizer = torch.optim.AdamW(network.parameters(), plan.learning_rate, weight_decay=plan.weight_decay, fused=True)
    average = AveragedModel(network, multi_avg_fn=_average, use_buffers=True)
    first, keep_every = 0, max(1, min(500, steps // 10))
    asked = {"targets": [target.name for target in targets], "plan": plan.model_dump_json(exclude={"reasons"})}
    parts: dict[str, Any] = {"network": network, "average": average, "optimizer": optimizer}
    if (out / STATE).is_file():
        state = torch.load(out / STATE, weights_only=True)
        if state["asked"] != asked:
            raise InputError(f"{out} holds a training of other targets or settings: choose another --out")
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first = state["step"]
    for step in range(first, steps):
        factor = learning_rate_factor(step, warmup_steps=max(1, steps // 20), total_steps=steps)
        for group in optimizer.param_groups:
            group["lr"] = plan.learning_rate * factor
        batches = [target.batch(step, (plan.seed, place)) for place, target in enumerate(targets)]
        images = torch.cat([batch[0] for batch in batches]).contiguous(memory_format=torch.channels_last)
        with device.autocast():
            found = network(images)
        each = [loss(one.float(), batch[1]) for loss, one, batch in zip(losses, found, batches, strict=True)]
        total = torch.stack(each).mean()
        if not math.isfinite(float(total)):
            raise InputError(f"training diverged in step {step + 1}: lower the learning rate with --learning-rate")
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), plan.gradient_clip or math.inf)
        optimizer.step()
        average.update_parameters(network)
        if (step + 1) % keep_every == 0 or step + 1 == steps:
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"step": step + 1, "asked": asked, "precision": device.precision}
            with atomic_write(out / STATE) as temporary:
                torch.save(state, temporary)
            losses_now = ", ".join(f"{t.name} {float(loss):.3f}" for t, loss in zip(targets, each, strict=True))
            logger.info(f"step {step + 1} of {steps}: loss {losses_now}")
    result: nn.Module = average.module
    return result


def _precision_of(out: Path) -> str:
    """That in which a training began."""
    if not (out / STATE).is_file():
        return "auto"
    return str(torch.load(out / STATE, weights_only=True)["precision"])


@torch.no_grad()
def _average(averages: Any, current: Any, updates: Any) -> None:
    """A moving average whose decay starts low, as ``train`` has it."""
    decay = min(_DECAY, (1 + float(updates)) / (10 + float(updates)))
    get_ema_multi_avg_fn(decay)(averages, current, updates)  # type: ignore[no-untyped-call]


def plain_network(joint: JointNetwork, target: Target, place: int) -> nn.Module:
    """The network of one target as amsunet knows it, in evaluation mode."""
    network = build_network(target.plan.model, target.plan.model_arguments(target.classes))
    network.load_state_dict(joint.weights_for(place))
    return network.eval()


@torch.no_grad()
def validation_dice(network: nn.Module, target: Target, device: Device) -> float:
    """Mean Dice over the target's validation images and classes, at working size."""
    runtime = TorchRuntime(device.place(network), target.preprocessing, device)
    scores = []
    for image, labels in map(target.validation.__getitem__, range(len(target.validation))):
        logits = torch.from_numpy(compute_logits(runtime, to_tensor(image)[None].numpy()))
        scores.append(dice_by_class(torch.softmax(logits, dim=1), to_tensor(labels)[None], 0.5))
    return float(torch.stack(scores).nanmean())


def write_start(
    out: Path, joint: JointNetwork, targets: Sequence[Target], plan: Plan, device: Device, source: str
) -> None:
    """Write the run folder of the first target, which knows the images of the others as seen before, and their heads.

    Args:
        out: The folder.
        joint: What was learnt.
        targets: In their order.
        plan: Of the first.
        device: Where it was.
        source: Of the first.
    """
    first = targets[0]
    convention = first.prepared.dataset.convention
    config = RunConfig(
        plan=plan, preprocessing=first.preprocessing, convention=convention, device=device.type,
        precision=device.precision, deterministic=False,
    )  # fmt: skip
    shown = {
        f"{target.name}/{scan.sample.name}": scan
        for target in targets
        for scan in target.prepared.dataset.scans
        if target.prepared.splits[scan.sample.name] in ("train", "val")
    }
    dataset = first.prepared.dataset
    record = RunData(
        source=absolute_source(source),
        group=None,
        skip_broken=False,
        fingerprint=first.prepared.fingerprint,
        splits=first.prepared.splits,
        checksums=dataset.checksums(),
        mask_checksums=dataset.mask_checksums(),
        thumbnails={name: pack_thumbnail(scan) for name, scan in shown.items()},
        seen_in_pretraining=tuple(sorted({scan.checksum for scan in shown.values()})),
    )
    write_run(out, config, record, environment(device), None)
    description = ModelDescription(
        model=plan.model,
        arguments=plan.model_arguments(first.classes),
        preprocessing=first.preprocessing,
        convention=convention,
        flips=plan.augmentation_flips,
    )
    save_model(out / FILE_NAME, plain_network(joint, first, 0), description)
    heads = reduce(
        dict.__or__,
        (
            {f"{target.name}.{name}": value.contiguous() for name, value in head.state_dict().items()}
            for target, head in zip(targets, joint.heads, strict=True)
        ),
    )
    with atomic_write(out / "heads.safetensors") as temporary:
        temporary.write_bytes(save(heads))


def main(arguments: Sequence[str] | None = None, **overrides: Any) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="a folder, a manifest or sample:NAME, each a target")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="amsunet_lite")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--crops", type=int, default=2, help="of each target in a step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    settings = {
        "model": asked.model, "in_channels": 3, "crop": asked.crop, "batch_size": asked.crops, "augmentation": "strong",
        "learning_rate": asked.learning_rate, "seed": asked.seed, "epochs": 1, "steps_per_epoch": asked.steps,
        "pretrained": "none",
        **overrides,
    }  # fmt: skip
    keep_freed_memory()  # as the command line does
    try:
        with shown():
            targets = open_targets(asked.data, settings, asked.steps)
            begun = choose_device("cpu", _precision_of(asked.out))
            device, why = faster_precision(targets[0].plan, targets[0].classes, begun)
            logger.info(f"{len(targets)} targets, in {device.precision}: {why}")
            asked.out.mkdir(parents=True, exist_ok=True)
            torch.manual_seed(asked.seed)
            body = build_network(asked.model, targets[0].plan.model_arguments(2))
            network = JointNetwork(body, [target.classes for target in targets])
            device.place(network)
            joint = train_jointly(network, targets, asked.steps, asked.out, device)
            assert isinstance(joint, JointNetwork)
            plan = with_precision(targets[0].plan, device, why)
            write_start(asked.out, joint, targets, plan, device, asked.data[0])
            dice = {t.name: validation_dice(plain_network(joint, t, n), t, device) for n, t in enumerate(targets)}
    except InputError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped: the same command goes on from what was kept last")
    write_json(
        asked.out / "joint.json",
        {
            "what": "one network trained on many targets together: Dice on the validation images of each",
            "command": "python benchmarks/light_pretrain.py " + " ".join(arguments or sys.argv[1:]),
            "steps": asked.steps,
            "dice": dice,
            "environment": environment(device),
        },
    )
    print(", ".join(f"{name} {value:.4f}" for name, value in dice.items()))


if __name__ == "__main__":
    main()
