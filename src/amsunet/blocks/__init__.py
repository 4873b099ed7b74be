"""Parts to lift into another network: plain ``torch.nn`` modules that import torch only.

Example:
    >>> import torch
    >>> from amsunet.blocks import AMSE, RSC
    >>> encode, attend = AMSE(16, dilation=3), RSC(16)
    >>> attend(encode(torch.zeros(1, 16, 32, 32))).shape
    torch.Size([1, 16, 32, 32])
"""

from amsunet.blocks.ams import AMS
from amsunet.blocks.amse import AMSE, FFN, AMSAttention, AMSEDesign, Pooling
from amsunet.blocks.attention import CBAM, RSC, SCSE, SE
from amsunet.blocks.convnext import ConvUNeXtBlock, SkipGate
from amsunet.blocks.hamburger import NMF, Hamburger
from amsunet.blocks.layers import LayerNorm2d
from amsunet.blocks.lite_amse import ComposedAMS, GatedAMSE, LiteAMSE
from amsunet.blocks.msca import MSCA, MSCAAttention
from amsunet.blocks.tokenised_mlp import TokenisedMLP

__all__ = [
    "AMS",
    "AMSE",
    "CBAM",
    "FFN",
    "MSCA",
    "NMF",
    "RSC",
    "SCSE",
    "SE",
    "AMSAttention",
    "AMSEDesign",
    "ComposedAMS",
    "ConvUNeXtBlock",
    "GatedAMSE",
    "Hamburger",
    "LayerNorm2d",
    "LiteAMSE",
    "MSCAAttention",
    "Pooling",
    "SkipGate",
    "TokenisedMLP",
]
