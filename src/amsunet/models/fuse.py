"""Exact fusion: the same function with fewer operations, for networks that are no longer trained."""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from amsunet.blocks import AMSE, ComposedAMS, ConvUNeXtBlock
from amsunet.blocks.depthwise import DepthwiseConv2d
from amsunet.blocks.layers import PointwiseConv2d
from amsunet.models.amsunet import Up
from amsunet.models.segnext import MSCANBlock
from amsunet.models.size import pad_to
from amsunet.models.u_shape import upsample

_CONVOLUTIONS = (nn.Conv2d, PointwiseConv2d, DepthwiseConv2d)
"""Others may compute something else."""


def fuse(network: nn.Module) -> nn.Module:
    """Copy a network with its BatchNorms and neighbouring 1x1 convolutions folded.

    In every network: a BatchNorm after a convolution, or before one without padding, goes into it. In AMSE with
    the paper's residual: attention's last 1x1, the second BatchNorm and the FFN's first 1x1 become one 1x1. In the
    decoder of AMSUnet: the BatchNorm and the decoder's half of the fusing 1x1 run before the upsampling, on a quarter
    of the pixels, and the concatenation becomes a sum. The upsampling's weights sum to one and the padding after it
    is zero in both forms, so this holds at the border and for odd sizes too. ``ComposedAMS`` is composed for good.

    These stay as they are: LayerNorm, a BatchNorm whose output is also a shortcut (SegNeXt's first), and
    ConvUNeXt's in the decoder, which is followed by padding and two readers.

    Args:
        network: Of ``create_model``, or another one whose Sequentials only run one part after another, and whose parts
            are used in one place each; it is not changed.

    Returns:
        A copy in evaluation mode, whose logits differ by rounding only (about 1e-6 of the largest in float32). Its
        weights do not fit the original's ``state_dict``, and it must not be trained.
    """
    fused = copy.deepcopy(network).eval()
    for module in list(fused.modules()):
        for name, child in module.named_children():
            if isinstance(child, ComposedAMS):
                setattr(module, name, child.as_convolution())
        if isinstance(module, nn.Sequential):
            _fuse_sequence(module)
        if isinstance(module, AMSE):
            _fuse_amse(module)
        elif isinstance(module, ConvUNeXtBlock) and isinstance(module.norm1, nn.BatchNorm2d):
            _into_the_convolution_before(module, "depthwise", module, "norm1")
            _into_the_convolution_before(module, "project", module, "norm2")
        elif isinstance(module, MSCANBlock) and isinstance(module.norm2, nn.BatchNorm2d):
            _into_the_convolution_behind(module, "norm2", module.ffn, "expand")
        for name, child in module.named_children():
            if isinstance(child, Up):
                setattr(module, name, FusedUp(child))
    return fused


class FusedUp(nn.Module):
    """AMSUnet's decoder step with the decoder's half of the 1x1 before the upsampling.

    Shape:
        decoder map (N, in_channels, h, w) and skip (N, skip_channels, H, W) to (N, out_channels, H, W).
    """

    def __init__(self, up: Up) -> None:
        super().__init__()
        width = _width(up.norm)
        of_skip, of_decoder = up.fuse.weight[:, :-width], up.fuse.weight[:, -width:]
        self.enter = _convolution(of_skip, up.fuse.bias, like=up.fuse)
        reduce = _convolution(of_decoder, torch.zeros_like(up.fuse.weight[:, 0, 0, 0]), like=up.fuse)
        can_fold = isinstance(up.norm, nn.BatchNorm2d)
        self.norm = nn.Identity() if can_fold else up.norm
        self.reduce = _norm_then_convolution(up.norm, reduce) if can_fold else reduce
        self.attention, self.block = up.attention, up.block

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        # The upsampled map is freed before the block, which needs the most memory.
        out: Tensor = self.block(self.enter(self.attention(skip)) + pad_to(upsample(self.reduce(self.norm(x))), skip))
        return out


def _fuse_sequence(sequence: nn.Sequential) -> None:
    """Fold every BatchNorm into a convolution beside it."""
    children = sequence._modules  # a module used twice is listed twice here
    for first, second in itertools.pairwise(list(children)):
        one, two = children[first], children[second]
        if type(one) in _CONVOLUTIONS and _is_foldable(two):
            _into_the_convolution_before(sequence, first, sequence, second)
        elif _is_foldable(one) and _is_plain(two) and not any(two.padding):  # type: ignore[arg-type]
            _into_the_convolution_behind(sequence, first, sequence, second)


def _is_plain(module: nn.Module | None) -> bool:
    """A convolution that a dense one can replace."""
    if not isinstance(module, nn.Conv2d) or type(module) not in _CONVOLUTIONS:
        return False
    return module.groups == 1 and module.dilation == (1, 1)


def _is_foldable(module: nn.Module | None) -> bool:
    """A BatchNorm with all that makes it a fixed scale and shift."""
    return isinstance(module, nn.BatchNorm2d) and module.affine and module.track_running_stats


def _fuse_amse(block: AMSE) -> None:
    """Fold the norms, and join the two 1x1 convolutions if nothing is left between them."""
    if isinstance(block.norm1, nn.BatchNorm2d):
        # In an MSCAN block a shortcut starts behind the first norm, or ends before it.
        if block.norm_place == "after":
            if block.residual != "mscan":
                _into_the_convolution_before(block.attention, "leave", block, "norm1")
            _into_the_convolution_before(block.ffn, "project", block, "norm2")
        else:
            if block.residual != "mscan":
                _into_the_convolution_behind(block, "norm1", block.attention, "enter")
            _into_the_convolution_behind(block, "norm2", block.ffn, "expand")
    between = block.norm1 if block.norm_place == "after" else block.norm2
    apart = isinstance(block.attention.leave, nn.Conv2d)
    if apart and block.residual == "amse" and isinstance(between, nn.Identity):
        joined = _join(block.attention.leave, block.ffn.expand)
        _put(block.ffn, "expand", joined)
        _put(block.attention, "leave", nn.Identity())


def _into_the_convolution_before(of: nn.Module, convolution: str, norm_of: nn.Module, norm: str) -> None:
    _put(of, convolution, fuse_conv_bn_eval(getattr(of, convolution), getattr(norm_of, norm)))
    _put(norm_of, norm, nn.Identity())


def _into_the_convolution_behind(norm_of: nn.Module, norm: str, of: nn.Module, convolution: str) -> None:
    _put(of, convolution, _norm_then_convolution(getattr(norm_of, norm), getattr(of, convolution)))
    _put(norm_of, norm, nn.Identity())


def _put(parent: nn.Module, name: str, child: nn.Module) -> None:
    setattr(parent, name, child)


def _norm_then_convolution(norm: nn.Module, convolution: nn.Conv2d) -> nn.Conv2d:
    """BatchNorm and the convolution without padding behind it as one convolution."""
    assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    shift = norm.bias.double() - norm.running_mean.double() * scale
    weight = convolution.weight.double()
    bias = torch.einsum("oikl,i->o", weight, shift)
    if convolution.bias is not None:
        bias = bias + convolution.bias.double()
    return _convolution(weight * scale[:, None, None], bias, like=convolution)


def _join(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """Two 1x1 convolutions with nothing between them as one."""
    assert first.bias is not None and second.bias is not None
    one, two = first.weight.double()[..., 0, 0], second.weight.double()[..., 0, 0]
    bias = two @ first.bias.double() + second.bias.double()
    return _convolution((two @ one)[..., None, None], bias, like=second)


def _convolution(weight: Tensor, bias: Tensor | None, *, like: nn.Conv2d) -> nn.Conv2d:
    """A convolution with these numbers, without padding, in the stride and type of another one."""
    out_channels, in_channels, height, width = weight.shape
    made: nn.Conv2d
    if isinstance(like, PointwiseConv2d):
        made = PointwiseConv2d(in_channels, out_channels, bias=bias is not None)
    else:
        made = nn.Conv2d(in_channels, out_channels, (height, width), stride=like.stride, bias=bias is not None)  # type: ignore[arg-type]
    made = made.to(like.weight).eval()
    with torch.no_grad():
        made.weight.copy_(weight)
        if bias is not None and made.bias is not None:
            made.bias.copy_(bias)
    return made


def _width(norm: nn.Module) -> int:
    """Channels that a normalisation is made for."""
    return int(norm.num_features if isinstance(norm, nn.BatchNorm2d) else norm.normalized_shape[0])  # type: ignore[index]
