"""Lightweight 2D medical image segmentation: check the data, train, judge honestly, predict.

import amsunet

training = amsunet.train("sample:nuclei", {"minutes": 2}, out="runs/nuclei")
evaluation = amsunet.evaluate(training.run)
result = amsunet.load(training.run).predict("image.png")   # .mask, .probability, .name, .spacing
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsunet.data.masks import MaskOptions
    from amsunet.data.options import DataOptions
    from amsunet.errors import InputError
    from amsunet.evaluation.evaluate import evaluate
    from amsunet.evaluation.report import write_report
    from amsunet.inference.predictor import load
    from amsunet.inference.segmentation import Segmentation
    from amsunet.models import create_model, list_models, load_published_weights
    from amsunet.training.check import check
    from amsunet.training.train import resume, train

# Imported when first asked for: the command line answers --help without loading torch.
_HOMES = {
    "DataOptions": "amsunet.data.options",
    "InputError": "amsunet.errors",
    "MaskOptions": "amsunet.data.masks.convention",
    "Segmentation": "amsunet.inference.segmentation",
    "check": "amsunet.training.check",
    "create_model": "amsunet.models",
    "evaluate": "amsunet.evaluation.evaluate",
    "list_models": "amsunet.models",
    "load": "amsunet.inference.predictor",
    "load_published_weights": "amsunet.models",
    "resume": "amsunet.training.train",
    "train": "amsunet.training.train",
    "write_report": "amsunet.evaluation.report",
}

__all__ = [
    "DataOptions",
    "InputError",
    "MaskOptions",
    "Segmentation",
    "check",
    "create_model",
    "evaluate",
    "list_models",
    "load",
    "load_published_weights",
    "resume",
    "train",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'amsunet' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
