"""Starting from trained weights: what fits is taken, what does not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from amsunet.choices import NO_PRETRAINED
from amsunet.errors import InputError
from amsunet.inference.model_file import load_model
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.pretrained import take_weights
from amsunet.models import is_custom
from amsunet.training.plan_schema import START, Plan
from amsunet.wording import setting


def with_models_found(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings with the trained models that they name by names that hold in any folder.

    Args:
        settings: As checked; ``pretrained`` is one network in torch, ``teacher`` may be an ensemble or exported.

    Raises:
        InputError: If there is no such model, or not of that kind; before any data are read.
    """
    named = {name: settings.get(name) for name in ("pretrained", "teacher")}
    is_none = {"pretrained": NO_PRETRAINED}
    found = {name: ModelRef.resolve(model) for name, model in named.items() if model not in (None, is_none.get(name))}
    if "pretrained" in found:
        _ = found["pretrained"].weights
    return settings | {name: model.absolute for name, model in found.items()}


def match_pretrained(plan: Plan) -> Plan:
    """The plan with the pretrained model by a name for any folder, and its network and options where none are set.

    Raises:
        InputError: If the pretrained model cannot be read.
    """
    if plan.pretrained is None:
        return plan
    model = ModelRef.resolve(plan.pretrained)
    plan = plan.model_copy(update={"pretrained": model.absolute})
    is_open = "model" not in plan.reasons
    if is_custom(plan.model):
        return plan
    _, description = load_model(model.weights, None if is_open else plan.model)
    if not is_open and description.model != plan.model:
        return plan  # which is refused when the weights are taken
    given = {"base_channels": plan.base_channels, **plan.model_options}
    others = {
        name: value
        for name, value in description.arguments.items()
        if name not in ("in_channels", "num_classes") and given.get(name) is None
    }
    settings: dict[str, Any] = {"model": description.model} if is_open else {}
    if (width := others.pop("base_channels", None)) is not None:
        settings["base_channels"] = width
    if others:
        settings["model_options"] = others | plan.model_options
    reasons = dict.fromkeys(settings, "that of the network it starts from") | plan.reasons
    return plan.model_copy(update={**settings, "reasons": reasons})


def load_pretrained(network: nn.Module, source: str | Path | ModelRef, plan: Plan, arguments: dict[str, Any]) -> str:
    """Copy the weights of a trained network into a fresh one of the same kind.

    Kernels that see the image are summed over its channels, or shared out, where the channels differ; other weights
    of another shape (the head, where the classes differ) stay fresh.

    Args:
        network: The fresh one.
        source: A run folder, the model file in one, or the name of a network of the zoo.
        plan: Of the training that starts there.
        arguments: What the fresh network was built with, as in ``create_model``.

    Returns:
        What was taken, in a line.

    Raises:
        InputError: If the source cannot be read, or is another network or one with other settings.
    """
    model = plan.model
    trained, description = load_model(ModelRef.resolve(source).weights, model)
    if not is_custom(model) and description.model != model:
        raise InputError(
            f"{source} holds weights of {description.model}, not of {model}: set {setting(model=description.model)}"
        )
    others = [
        name
        for name in sorted(description.arguments.keys() | arguments.keys())
        if name not in ("in_channels", "num_classes") and description.arguments.get(name) != arguments.get(name)
    ]
    if others:
        raise InputError(
            f"{source} was trained with other settings of the network ({', '.join(others)}): "
            f"set the same with {setting('base_channels')} and {setting('model_options')}"
        )
    fresh = take_weights(network, trained.state_dict())
    sizes = {name: value.numel() for name, value in network.state_dict().items()}
    parameters = 1 - sum(sizes[name] for name in fresh) / max(1, sum(sizes.values()))
    channels = description.arguments["in_channels"]
    summary = f"weights of {source} taken" + (f", {parameters:.2%} of all" if fresh else ", all of them")
    if fresh:
        classes = [each["num_classes"] for each in (description.arguments, arguments)]
        why = f", as there are {classes[1]} classes in place of {classes[0]}" if classes[0] != classes[1] else ""
        summary += f"; fresh{why}: {', '.join(fresh)}"
    wanted = next((value.shape[1] for value in network.state_dict().values() if value.dim() == 4), channels)
    if wanted != channels:
        summary += f"; the first kernels, made for {channels} channels, now see {wanted}"
    normalization = description.preprocessing.normalization
    if normalization != plan.normalization and str(source) != START:  # which has learnt with several
        summary += f"; trained on images normalized by {normalization}, now given {plan.normalization} "
        summary += f"({setting(normalization=normalization)})"
    return summary
