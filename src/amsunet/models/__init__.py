"""Whole networks, one file each, that import torch only.

Example:
    >>> import torch
    >>> from amsunet.models import UNet
    >>> UNet(1, 2)(torch.zeros(1, 1, 64, 64)).shape
    torch.Size([1, 2, 64, 64])
"""

from amsunet.models.amsunet import AMSUnet
from amsunet.models.author_weights import load_published_weights
from amsunet.models.convunext import ConvUNeXt
from amsunet.models.cost import ModelSummary, summarise_model
from amsunet.models.custom import absolute_model, code_checksum, code_files, is_custom
from amsunet.models.lite import AMSUnetLite
from amsunet.models.registry import create_model, list_models, register_model
from amsunet.models.segnext import MSCAN, SegNeXt
from amsunet.models.unet import ResUNet, UNet
from amsunet.models.unext import UNeXt

__all__ = [
    "MSCAN",
    "AMSUnet",
    "AMSUnetLite",
    "ConvUNeXt",
    "ModelSummary",
    "ResUNet",
    "SegNeXt",
    "UNeXt",
    "UNet",
    "absolute_model",
    "code_checksum",
    "code_files",
    "create_model",
    "is_custom",
    "list_models",
    "load_published_weights",
    "register_model",
    "summarise_model",
]
