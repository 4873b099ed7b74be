"""Parts to lift into another network: plain ``torch.nn`` modules that import torch only."""

from amsunet.blocks.ams import AMS
from amsunet.blocks.amse import AMSE, FFN, AMSAttention
from amsunet.blocks.rsc import RSC

__all__ = ["AMS", "AMSE", "FFN", "RSC", "AMSAttention"]
