"""MONAI's own U-Nets as rivals, to be trained and compared like any network of your own:

    amsunet compare DATA --models amsunet,monai_networks.py:unet,monai_networks.py:dynunet

Six stages, as nnU-Net plans in 2D for crops of 128 to 255 pixels, each with twice the width of the one before, up to
sixteen times the first. nnU-Net begins with 32 channels; half of that makes them about as light as AMSUnet's peers.
"""

import torch
from monai.networks.nets import AttentionUnet, DynUNet, UNet
from torch.nn import functional as F

STAGES = 6
COARSEST = 2 ** (STAGES - 1)


class Padded(torch.nn.Module):
    """A network behind a border that brings any size to a multiple of its coarsest stride; logits are cut to size.

    Two pixels a side are left at the coarsest stage, or instance normalisation has nothing to normalise.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        rows, columns = (max(2, -(-side // COARSEST)) * COARSEST - side for side in (height, width))
        return self.network(F.pad(x, (0, columns, 0, rows), mode="replicate"))[..., :height, :width]


def widths(base_channels: int) -> list[int]:
    """Channels of every stage."""
    return [base_channels * min(2**stage, 16) for stage in range(STAGES)]


def unet(in_channels: int, num_classes: int, base_channels: int = 16) -> torch.nn.Module:
    """MONAI's UNet with two residual units a stage, as in MONAI's tutorials: 3.73 million parameters."""
    strides = [2] * (STAGES - 1)
    return Padded(UNet(2, in_channels, num_classes, widths(base_channels), strides, num_res_units=2))


def attention_unet(in_channels: int, num_classes: int, base_channels: int = 16) -> torch.nn.Module:
    """MONAI's AttentionUnet: 5.01 million parameters."""
    return Padded(AttentionUnet(2, in_channels, num_classes, widths(base_channels), [2] * (STAGES - 1)))


def dynunet(in_channels: int, num_classes: int, base_channels: int = 16) -> torch.nn.Module:
    """DynUNet, nnU-Net's plain network, without deep supervision: 5.16 million parameters."""
    strides = [1] + [2] * (STAGES - 1)
    return Padded(
        DynUNet(2, in_channels, num_classes, [3] * STAGES, strides, strides[1:], filters=widths(base_channels))
    )


def dynunet_full(in_channels: int, num_classes: int) -> torch.nn.Module:
    """DynUNet at nnU-Net's own width: 20.61 million parameters."""
    return dynunet(in_channels, num_classes, base_channels=32)
