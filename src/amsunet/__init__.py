"""Lightweight 2D medical image segmentation: check the data, train, evaluate, predict.

import amsunet

training = amsunet.train("sample:nuclei", {"minutes": 2}, out="runs/nuclei")
evaluation = amsunet.evaluate(training.run)
result = amsunet.load(training.run).predict("image.png")   # .mask, .probability, .save("mask.png")
network = amsunet.create_model("amsunet", pretrained="zoo:nuclei")   # a torch.nn.Module
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amsunet import blocks as blocks
    from amsunet import losses as losses
    from amsunet import models as models
    from amsunet.data.options import DataOptions as DataOptions
    from amsunet.data.options import MaskOptions as MaskOptions
    from amsunet.deployment.bioimage import export_bioimage as export_bioimage
    from amsunet.deployment.export import export as export
    from amsunet.deployment.web import export_web as export_web
    from amsunet.errors import InputError as InputError
    from amsunet.evaluation.compare import compare as compare
    from amsunet.evaluation.evaluate import evaluate as evaluate
    from amsunet.evaluation.explain import explain as explain
    from amsunet.evaluation.report import write_report as write_report
    from amsunet.evaluation.study import StudyDesign as StudyDesign
    from amsunet.inference.predict_files import predict as predict
    from amsunet.inference.predictor import Predictor as Predictor
    from amsunet.inference.predictor import load as load
    from amsunet.inference.pretrained import create_model as create_model
    from amsunet.inference.runtime_options import RuntimeOptions as RuntimeOptions
    from amsunet.inference.segmentation import Segmentation as Segmentation
    from amsunet.models import AMSUnet as AMSUnet
    from amsunet.models import list_models as list_models
    from amsunet.models import load_published_weights as load_published_weights
    from amsunet.training.check import check as check
    from amsunet.training.plan_schema import Settings as Settings
    from amsunet.training.train import resume as resume
    from amsunet.training.train import train as train

__version__ = "0.1.0"

_HOMES = {
    "AMSUnet": "amsunet.models",
    "DataOptions": "amsunet.data.options",
    "InputError": "amsunet.errors",
    "MaskOptions": "amsunet.data.options",
    "Predictor": "amsunet.inference.predictor",
    "RuntimeOptions": "amsunet.inference.runtime_options",
    "Segmentation": "amsunet.inference.segmentation",
    "Settings": "amsunet.training.plan_schema",
    "StudyDesign": "amsunet.evaluation.study",
    "blocks": "amsunet",
    "check": "amsunet.training.check",
    "compare": "amsunet.evaluation.compare",
    "create_model": "amsunet.inference.pretrained",
    "evaluate": "amsunet.evaluation.evaluate",
    "explain": "amsunet.evaluation.explain",
    "export": "amsunet.deployment.export",
    "export_bioimage": "amsunet.deployment.bioimage",
    "export_web": "amsunet.deployment.web",
    "list_models": "amsunet.models",
    "load": "amsunet.inference.predictor",
    "load_published_weights": "amsunet.models",
    "losses": "amsunet",
    "models": "amsunet",
    "predict": "amsunet.inference.predict_files",
    "resume": "amsunet.training.train",
    "train": "amsunet.training.train",
    "write_report": "amsunet.evaluation.report",
}
"""Where a public name is defined. It is imported when first asked for: ``import amsunet`` loads nothing else."""

__all__ = list(_HOMES)


if not TYPE_CHECKING:  # or a type checker would take every misspelt name for one that may be there

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'amsunet' has no attribute {name!r}")
        home = _HOMES[name]
        try:
            return import_module(f"amsunet.{name}") if home == "amsunet" else getattr(import_module(home), name)
        except ModuleNotFoundError as error:
            from amsunet.optional import describe_missing, is_optional  # noqa: PLC0415

            if error.name is None or not is_optional(error.name):
                raise
            raise ModuleNotFoundError(describe_missing(error.name), name=error.name) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
