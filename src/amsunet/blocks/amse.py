"""AMSE: the encoder block of AMSUnet, AMS attention followed by a feed-forward network."""

from __future__ import annotations

from torch import Tensor, nn

from amsunet.blocks.ams import AMS


class AMSAttention(nn.Sequential):
    """AMS between two 1x1 convolutions: 1x1, GELU, AMS, 1x1, without a shortcut of its own.

    Shape: (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 1)
        self.activation = nn.GELU()
        self.ams = AMS(channels, dilation)
        self.leave = nn.Conv2d(channels, channels, 1)


class FFN(nn.Sequential):
    """Convolutional feed-forward network: 1x1 to a wider map, 3x3 depthwise, GELU, 1x1 back.

    Shape: (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, expansion: int = 4) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = nn.Conv2d(channels, hidden, 1)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.activation = nn.GELU()
        self.project = nn.Conv2d(hidden, channels, 1)


class AMSE(nn.Module):
    """Encoder block with ONE residual around attention and FFN, and an activation after the sum:

        output = GELU(x + FFN(BatchNorm(attention(BatchNorm(x)))))

    A Transformer block, and SegNeXt's, have two residuals and no closing activation; the paper found
    that features which pass a residual unactivated did harm.

    Source: AMSUnet, Comput. Biol. Med. 2023, doi 10.1016/j.compbiomed.2023.107120.

    Args:
        channels: channels of the input and of the output.
        dilation: dilation of the atrous convolution in AMS, 1 or more.

    Shape: (N, channels, H, W) to the same.
    """

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.attention = AMSAttention(channels, dilation)
        self.norm2 = nn.BatchNorm2d(channels)
        self.ffn = FFN(channels)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.ffn(self.norm2(self.attention(self.norm1(x))))
        out: Tensor = self.activation(x + y)
        return out
