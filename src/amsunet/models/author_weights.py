"""Weights under the key names of the authors' released code."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from amsunet.blocks import AMS, AMSE, RSC, MSCAAttention
from amsunet.models.amsunet import AMSUnet
from amsunet.models.convunext import ConvUNeXt
from amsunet.models.unext import UNeXt

# For each module: our name for a part, and the published one. A nested module has its own table.
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
    *((r"attention\.mixer\." + ours, "attn.ams." + theirs) for ours, theirs in _AMS),
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
    *((r"stem\.3\." + ours, "in_conv.3." + theirs) for ours, theirs in _AMSE),
    (r"stem\.", "in_conv."),
    *((rf"downs\.{i}\.2\." + ours, f"down{i + 1}.2." + theirs) for i in range(4) for ours, theirs in _AMSE),
    *((rf"downs\.{i}\.", f"down{i + 1}.") for i in range(4)),
    *((rf"ups\.{i}\.norm\.", f"up{i + 1}.norm.") for i in range(4)),
    *((rf"ups\.{i}\.fuse\.", f"up{i + 1}.conv1x1.") for i in range(4)),
    *((rf"ups\.{i}\.attention\." + ours, f"up{i + 1}." + theirs) for i in range(4) for ours, theirs in _RSC),
    *((rf"ups\.{i}\.block\." + ours, f"up{i + 1}.conv.0." + theirs) for i in range(4) for ours, theirs in _AMSE),
    (r"head\.", "out_conv.0."),
]
_MSCA_ATTENTION: _Renames = [
    (r"enter\.", "proj_1."),
    (r"leave\.", "proj_2."),
    (r"msca\.local\.", "spatial_gating_unit.conv0."),
    (r"msca\.strips\.(\d)\.0\.", r"spatial_gating_unit.conv\1_1."),
    (r"msca\.strips\.(\d)\.1\.", r"spatial_gating_unit.conv\1_2."),
    (r"msca\.project\.", "spatial_gating_unit.conv3."),
]
_CONVUNEXT_BLOCK: _Renames = [
    (r"depthwise\.", "dwconv."),
    (r"norm([12])\.", r"norm\1."),
    (r"expand\.", "pwconv1."),
    (r"project\.", "pwconv2."),
]
_GATE = {"steer": "gate", "weigh": "linear1", "leave": "linear2"}
_CONVUNEXT: _Renames = [
    *((r"stem\.3\." + ours, "in_conv.3." + theirs) for ours, theirs in _CONVUNEXT_BLOCK),
    (r"stem\.", "in_conv."),
    *(
        (rf"downs\.{i}\.{j}\." + ours, f"down{i + 1}.{j}." + theirs)
        for i in range(4)
        for j in range(2, 5)
        for ours, theirs in _CONVUNEXT_BLOCK
    ),
    *((rf"downs\.{i}\.", f"down{i + 1}.") for i in range(4)),
    *((rf"ups\.{i}\.gate\.{ours}\.", f"up{i + 1}.{theirs}.") for i in range(4) for ours, theirs in _GATE.items()),
    *((rf"ups\.{i}\.norm\.", f"up{i + 1}.norm.") for i in range(4)),
    *((rf"ups\.{i}\.fuse\.", f"up{i + 1}.conv1x1.") for i in range(4)),
    *(
        (rf"ups\.{i}\.block\." + ours, f"up{i + 1}.conv.0." + theirs)
        for i in range(4)
        for ours, theirs in _CONVUNEXT_BLOCK
    ),
    (r"head\.", "out_conv.0."),
]
_TOKENISED_MLP = {"norm": "norm2", "enter": "mlp.fc1", "depthwise": "mlp.dwconv.dwconv", "leave": "mlp.fc2"}
_UNEXT: _Renames = [
    *((rf"convolutions\.{i}\.0\.", f"encoder{i + 1}.") for i in range(3)),
    *((rf"convolutions\.{i}\.1\.", f"ebn{i + 1}.") for i in range(3)),
    *((rf"embeddings\.{i}\.0\.", f"patch_embed{i + 3}.proj.") for i in range(2)),
    *((rf"embeddings\.{i}\.1\.", f"patch_embed{i + 3}.norm.") for i in range(2)),
    *((rf"embeddings\.{i}\.2\.{o}\.", f"block{i + 1}.0.{p}.") for i in range(2) for o, p in _TOKENISED_MLP.items()),
    *((rf"embeddings\.{i}\.3\.", f"norm{i + 3}.") for i in range(2)),
    *((rf"decoders\.{i}\.0\.", f"decoder{i + 1}.") for i in range(4)),
    *((rf"decoders\.{i}\.1\.", f"dbn{i + 1}.") for i in range(4)),
    *((rf"refiners\.{i}\.0\.{o}\.", f"dblock{i + 1}.0.{p}.") for i in range(2) for o, p in _TOKENISED_MLP.items()),
    *((rf"refiners\.{i}\.1\.", f"dnorm{i + 3}.") for i in range(2)),
    (r"last\.", "decoder5."),
    (r"head\.", "final."),
]
_TABLES: dict[type[nn.Module], _Renames] = {
    AMS: _AMS,
    AMSE: _AMSE,
    RSC: _RSC,
    MSCAAttention: _MSCA_ATTENTION,
    AMSUnet: _AMSUNET,
    ConvUNeXt: _CONVUNEXT,
    UNeXt: _UNEXT,
}


def load_published_weights(module: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load a checkpoint with the authors' key names into a block or network, strictly.

    Args:
        module: ``AMS``, ``AMSE``, ``RSC``, ``MSCAAttention``, ``AMSUnet``, ``ConvUNeXt`` or ``UNeXt``.
        state_dict: Tensors by published name; ``num_batches_tracked`` is optional.

    Raises:
        TypeError: For another kind of module.
        ValueError: For a missing, superfluous or misshapen tensor.

    Example:
        >>> import amsunet, torch
        >>> network = amsunet.AMSUnet(3, 2, base_channels=8)
        >>> amsunet.load_published_weights(network, torch.load("published.pth", weights_only=True))
    """
    renames = _TABLES.get(type(module))
    if renames is None:
        known = ", ".join(kind.__name__ for kind in _TABLES)
        raise TypeError(f"no published weights are known for {type(module).__name__}; known are: {known}")
    ours = {key: value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    published_of = {key: _published_name(key, renames) for key in ours}
    given = {key for key in state_dict if not key.endswith("num_batches_tracked")}
    missing, surplus = set(published_of.values()) - given, given - set(published_of.values())
    if missing or surplus:
        raise ValueError(
            f"published weights do not fit: missing {sorted(missing)[:3]}, superfluous {sorted(surplus)[:3]}"
        )
    values = {}
    for key, theirs in published_of.items():
        value = torch.as_tensor(state_dict[theirs])
        # A linear layer over channels is our 1x1 convolution.
        if ours[key].dim() == 4 and ours[key].shape[2:] == (1, 1) and value.dim() == 2:
            value = value[..., None, None]
        if value.shape != ours[key].shape:
            raise ValueError(
                f"published weights do not fit: {theirs} is {tuple(value.shape)}, not {tuple(ours[key].shape)}"
            )
        values[key] = value
    with torch.no_grad():
        for key, value in values.items():
            ours[key].copy_(value)


def _published_name(key: str, renames: _Renames) -> str:
    for ours, theirs in renames:
        if match := re.match(ours, key):
            return match.expand(theirs) + key[match.end() :]
    raise ValueError(f"no published name is known for {key}")
