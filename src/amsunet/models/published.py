"""Weights under the key names of the authors' released code."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amsunet.blocks import AMS, AMSE, RSC
from amsunet.models.amsunet import AMSUnet

# For each module: its own name for a part, and the published one. A nested module is followed by its own table.
_Renames = list[tuple[str, str]]

_AMS: _Renames = [
    (r"local\.", "conv."),
    (r"atrous\.", "conv0."),
    (r"strips\.(\d)\.0\.", r"conv\1_1."),
    (r"strips\.(\d)\.1\.", r"conv\1_2."),
    (r"project\.", "conv3."),
]
_AMSE: _Renames = [
    (r"norm([12])\.", r"bn\1."),
    (r"attention\.enter\.", "attn.conv1."),
    (r"attention\.leave\.", "attn.conv2."),
    *((r"attention\.ams\." + own, "attn.ams." + published) for own, published in _AMS),
    (r"ffn\.expand\.", "ffn.conv1."),
    (r"ffn\.depthwise\.", "ffn.conv2."),
    (r"ffn\.project\.", "ffn.conv3."),
]
_RSC: _Renames = [
    (r"spatial\.", "satt.squeeze."),
    (r"squeeze\.", "catt.conv1."),
    (r"excite\.", "catt.conv2."),
]
_AMSUNET: _Renames = [
    *((r"stem\.3\." + own, "in_conv.3." + published) for own, published in _AMSE),
    (r"stem\.", "in_conv."),
    *((rf"downs\.{i}\.2\." + own, f"down{i + 1}.2." + published) for i in range(4) for own, published in _AMSE),
    *((rf"downs\.{i}\.", f"down{i + 1}.") for i in range(4)),
    *((rf"ups\.{i}\.norm\.", f"up{i + 1}.norm.") for i in range(4)),
    *((rf"ups\.{i}\.fuse\.", f"up{i + 1}.conv1x1.") for i in range(4)),
    *((rf"ups\.{i}\.attention\." + own, f"up{i + 1}." + published) for i in range(4) for own, published in _RSC),
    *((rf"ups\.{i}\.block\." + own, f"up{i + 1}.conv.0." + published) for i in range(4) for own, published in _AMSE),
    (r"head\.", "out_conv.0."),
]
_TABLES: dict[type[nn.Module], _Renames] = {AMS: _AMS, AMSE: _AMSE, RSC: _RSC, AMSUnet: _AMSUNET}


def load_published_weights(module: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Fill a block or network from a checkpoint with the authors' key names, strictly.

    Args:
        module: an ``AMS``, ``AMSE``, ``RSC`` or ``AMSUnet``.
        state_dict: tensors by published name; ``num_batches_tracked`` may be there or not.

    Raises: TypeError for another kind of module; ValueError for a missing, superfluous or misshapen tensor.
    """
    renames = _TABLES.get(type(module))
    if renames is None:
        known = ", ".join(kind.__name__ for kind in _TABLES)
        raise TypeError(f"no published weights are known for {type(module).__name__}; known are: {known}")
    own = {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    published_of = {key: _published_name(key, renames) for key in own}
    given = {key for key in state_dict if not key.endswith("num_batches_tracked")}
    missing, surplus = set(published_of.values()) - given, given - set(published_of.values())
    if missing or surplus:
        raise ValueError(
            f"published weights do not fit: missing {sorted(missing)[:3]}, superfluous {sorted(surplus)[:3]}"
        )
    for key, published in published_of.items():
        value = torch.as_tensor(state_dict[published])
        if value.shape != own[key].shape:
            raise ValueError(
                f"published weights do not fit: {published} is {tuple(value.shape)}, not {tuple(own[key].shape)}"
            )
    with torch.no_grad():
        for key, published in published_of.items():
            own[key].copy_(torch.as_tensor(state_dict[published]))


def _published_name(key: str, renames: _Renames) -> str:
    for own, published in renames:
        if match := re.match(own, key):
            return match.expand(published) + key[match.end() :]
    raise ValueError(f"no published name is known for {key}")
