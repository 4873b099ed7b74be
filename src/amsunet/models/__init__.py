"""Whole networks, one file each, that import torch only."""

from amsunet.models.amsunet import AMSUnet
from amsunet.models.published import load_published_weights
from amsunet.models.registry import create_model, list_models, register_model

__all__ = ["AMSUnet", "create_model", "list_models", "load_published_weights", "register_model"]
