"""Starting from trained weights: what fits is taken, what does not is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amsunet.errors import InputError
from amsunet.inference.ensemble import model_path
from amsunet.inference.model_file import load_model
from amsunet.models import is_custom
from amsunet.training.plan_schema import Plan
from amsunet.wording import setting


def match_pretrained_width(plan: Plan) -> Plan:
    """The plan with the width of the network that training starts from, unless one was said.

    Raises: InputError if the start cannot be read.
    """
    if plan.pretrained is None or plan.base_channels is not None or plan.model_options or is_custom(plan.model):
        return plan
    _, description = load_model(model_path(Path(plan.pretrained)), plan.model)
    width = description.arguments.get("base_channels") if description.model == plan.model else None
    if width is None:
        return plan
    reasons = plan.reasons | {"base_channels": "that of the network it starts from"}
    return plan.model_copy(update={"base_channels": width, "reasons": reasons})


def load_pretrained(network: nn.Module, source: Path, plan: Plan, arguments: dict[str, Any]) -> str:
    """Copy the weights of a trained network into a fresh one of the same kind.

    Kernels that see the image are summed over its channels, or shared out, where the channels differ; other weights
    of another shape (the head, where the classes differ) stay fresh.

    Args:
        source: a run folder, or the model file in one.
        plan: of the training that starts there.
        arguments: what the fresh network was built with, as in ``create_model``.

    Returns: what was taken, in a line.
    Raises: InputError if the source cannot be read, or is another network or one with other settings.
    """
    model = plan.model
    trained, description = load_model(model_path(source), model)
    if not is_custom(model) and description.model != model:
        raise InputError(
            f"{source} holds weights of {description.model}, not of {model}: say {setting(model=description.model)}"
        )
    others = [
        name
        for name in sorted(description.arguments.keys() | arguments.keys())
        if name not in ("in_channels", "num_classes") and description.arguments.get(name) != arguments.get(name)
    ]
    if others:
        raise InputError(
            f"{source} was trained with other settings of the network ({', '.join(others)}): "
            f"say the same with {setting('base_channels')} and {setting('model_options')}"
        )
    weights, initial = trained.state_dict(), network.state_dict()
    taken, fresh = {}, []
    for name, value in initial.items():
        given = weights.get(name)
        if given is not None and given.dim() == 4 and value.dim() == 4 and _is_stem(given, value):
            given = _other_channels(given, value.shape[1])
        if given is not None and given.shape == value.shape:
            taken[name] = given
        else:
            fresh.append(name)
    parameters = sum(initial[name].numel() for name in taken) / max(1, sum(value.numel() for value in initial.values()))
    network.load_state_dict({**initial, **taken})
    channels = description.arguments["in_channels"]
    told = f"weights of {source} taken" + (f", {parameters:.2%} of all" if fresh else ", all of them")
    if fresh:
        classes = [each["num_classes"] for each in (description.arguments, arguments)]
        why = f", as there are {classes[1]} classes in place of {classes[0]}" if classes[0] != classes[1] else ""
        told += f"; fresh{why}: {', '.join(fresh)}"
    wanted = next((value.shape[1] for value in initial.values() if value.dim() == 4), channels)
    if wanted != channels:
        told += f"; the first kernels, made for {channels} channels, now see {wanted}"
    normalization = description.preprocessing.normalization
    if normalization != plan.normalization:
        told += f"; trained on images normalized by {normalization}, now given {plan.normalization} "
        told += f"({setting(normalization=normalization)})"
    return told


def _is_stem(given: Tensor, value: Tensor) -> bool:
    """Whether two kernels differ in their input channels alone, and by those of grey and colour images."""
    same_rest = given.shape[0] == value.shape[0] and given.shape[2:] == value.shape[2:]
    return same_rest and {given.shape[1], value.shape[1]} == {1, 3}


def _other_channels(kernel: Tensor, channels: int) -> Tensor:
    """A kernel for grey images that sums what it saw of colours, or the other way round."""
    grey = kernel.sum(dim=1, keepdim=True)
    return torch.cat([grey / channels] * channels, dim=1)
