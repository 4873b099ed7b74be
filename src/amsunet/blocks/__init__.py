"""Parts to lift into another network: plain ``torch.nn`` modules that import torch only.

Example:
    >>> import torch
    >>> from amsunet.blocks import AMSE, RSC
    >>> encode, attend = AMSE(16, dilation=3), RSC(16)
    >>> attend(encode(torch.zeros(1, 16, 32, 32))).shape
    torch.Size([1, 16, 32, 32])
"""

from amsunet.blocks.ams import AMS
from amsunet.blocks.amse import AMSE, FFN, AMSAttention
from amsunet.blocks.cbam import CBAM
from amsunet.blocks.convnext import ConvUNeXtBlock, SkipGate
from amsunet.blocks.design import AMSEDesign
from amsunet.blocks.hamburger import NMF, Hamburger
from amsunet.blocks.mixer import Pooling
from amsunet.blocks.msca import MSCA, MSCAAttention
from amsunet.blocks.norm import LayerNorm2d
from amsunet.blocks.rsc import RSC
from amsunet.blocks.scse import SCSE
from amsunet.blocks.se import SE
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
    "ConvUNeXtBlock",
    "Hamburger",
    "LayerNorm2d",
    "MSCAAttention",
    "Pooling",
    "SkipGate",
    "TokenisedMLP",
]
