"""A network with trained weights as a plain module, for programs of one's own."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from amsunet import models
from amsunet.choices import MOST_CHANNELS
from amsunet.errors import InputError
from amsunet.inference.model_file import build_network, load_model
from amsunet.inference.model_ref import ModelRef
from amsunet.models import is_custom

logger = logging.getLogger(__name__)

_OF_THE_DATA = ("in_channels", "num_classes")
"""Arguments in which a network may differ from the trained one it starts from."""


def create_model(name: str, *, pretrained: str | Path | None = None, **arguments: Any) -> nn.Module:
    """Build a network by its name, with fresh or with trained weights.

    With trained weights the network is in evaluation mode, its settings are those it was trained with, and it has the
    attribute ``preprocessing``: called with an image as read, it gives the network's input. The network gives logits;
    threshold, temperature and post-processing are what ``load`` adds.

    Args:
        name: One of ``list_models()``, or ``FILE.py:FUNCTION`` for a custom model, whose code is run.
        pretrained: A network of the zoo (``zoo:NAME``), a run folder, or a model file.
        arguments: Of the network: ``in_channels``, ``num_classes``, ``base_channels`` and what else the network takes.
            With trained weights ``num_classes`` may be another number, and its head is then fresh; so may
            ``in_channels``, for which the first kernels are summed or shared out.
            It then has no ``preprocessing``.

    Returns:
        A module that maps (N, in_channels, H, W) to logits (N, num_classes, H, W).

    Raises:
        ValueError: For an unknown name, with the nearest known one.
        InputError: If the weights cannot be read, or are of another network.

    Example:
        >>> import amsunet, numpy, torch
        >>> from PIL import Image
        >>> amsunet.create_model("unet", in_channels=1, num_classes=4)(torch.zeros(1, 1, 64, 64)).shape
        torch.Size([1, 4, 64, 64])
        >>> network = amsunet.create_model("amsunet", pretrained="zoo:nuclei")
        >>> image = numpy.asarray(Image.open("image.png"))
        >>> x = torch.from_numpy(network.preprocessing(image))[None]
        >>> with torch.inference_mode():
        ...     probabilities = network(x).softmax(dim=1)
        >>> probabilities.shape
        torch.Size([1, 2, 128, 128])
        >>> network = amsunet.create_model("amsunet", pretrained="zoo:nuclei", num_classes=5)  # to be fine-tuned
        >>> network.head
        Conv2d(32, 5, kernel_size=(1, 1), stride=(1, 1))
    """
    if pretrained is None:
        return models.create_model(name, **arguments)
    trained, description = load_model(ModelRef.resolve(pretrained).weights, name if is_custom(name) else None)
    if not is_custom(name) and description.model != name:
        raise InputError(
            f"{pretrained} holds weights of {description.model}, not of {name}: create {description.model}"
        )
    others = sorted(
        key
        for key, value in arguments.items()
        if key not in _OF_THE_DATA and (key not in description.arguments or value != description.arguments[key])
    )
    if others:
        raise InputError(
            f"{pretrained} was trained with its own settings of the network: leave {', '.join(others)} out"
        )
    network, wanted = trained, description.arguments | arguments
    if wanted != description.arguments:
        network = build_network(name, wanted).eval()
        fresh = take_weights(network, trained.state_dict())
        logger.info(f"weights of {pretrained} taken; fresh: {', '.join(fresh) or 'none'}")
    if wanted["in_channels"] == description.arguments["in_channels"]:
        network.preprocessing = description.preprocessing  # type: ignore[assignment]
    return network


def take_weights(network: nn.Module, trained: Mapping[str, Tensor]) -> list[str]:
    """Copy what fits of trained weights into a fresh network of the same kind.

    Kernels that see the image are summed over its channels, or shared out, where the channels differ; other weights
    of another shape (the head, where the classes differ) stay fresh.

    Args:
        network: The fresh network, which is changed.
        trained: Weights by name.

    Returns:
        The names of what stays fresh.
    """
    initial = network.state_dict()
    taken, fresh = {}, []
    for name, value in initial.items():
        given = trained.get(name)
        if given is not None and given.dim() == 4 and value.dim() == 4 and _is_stem(given, value):
            given = _other_channels(given, value.shape[1])
        if given is not None and given.shape == value.shape:
            taken[name] = given
        else:
            fresh.append(name)
    network.load_state_dict({**initial, **taken})
    return fresh


def _is_stem(given: Tensor, value: Tensor) -> bool:
    """Whether two kernels differ in their input channels alone, by those that images may have."""
    same_rest = given.shape[0] == value.shape[0] and given.shape[2:] == value.shape[2:]
    return same_rest and given.shape[1] != value.shape[1] and max(given.shape[1], value.shape[1]) <= MOST_CHANNELS


def _other_channels(kernel: Tensor, channels: int) -> Tensor:
    """A kernel that shares out over its channels the sum of what it had for others."""
    grey = kernel.sum(dim=1, keepdim=True)
    return torch.cat([grey / channels] * channels, dim=1)
