"""Whole networks, one file each, that import torch only."""

from amsunet.models.amsunet import AMSUnet
from amsunet.models.convunext import ConvUNeXt
from amsunet.models.facts import ModelFacts, model_facts
from amsunet.models.own_file import absolute_model, code_checksum, code_files, is_file
from amsunet.models.published import load_published_weights
from amsunet.models.registry import create_model, list_models, register_model
from amsunet.models.segnext import MSCAN, SegNeXt
from amsunet.models.unet import ResUNet, UNet
from amsunet.models.unext import UNeXt

__all__ = [
    "MSCAN",
    "AMSUnet",
    "ConvUNeXt",
    "ModelFacts",
    "ResUNet",
    "SegNeXt",
    "UNeXt",
    "UNet",
    "absolute_model",
    "code_checksum",
    "code_files",
    "create_model",
    "is_file",
    "list_models",
    "load_published_weights",
    "model_facts",
    "register_model",
]
