"""The words that settings choose among, for those who name them before anything is computed."""

from __future__ import annotations

from typing import Literal

Normalization = Literal["depth", "percentiles", "channels", "gamma", "bright_on_dark"]
ImageScale = Literal["factor", "size"]
Flips = Literal["both", "horizontal", "vertical", "none"]
"""Which mirror images show a class as it is: left to right, upside down."""
Strength = Literal["none", "paper", "light", "medium", "strong"]
Extra = Literal["stain"]
Polarity = Literal["auto", "bright-on-dark", "dark-on-bright"]
"""Whether objects are brighter or darker than their background: found out for each image, or given for all."""
EngineName = Literal["process", "ray"]
"""What predictions and the trainings of a study are made by: this process or machine, or workers of Ray."""
ResultForm = Literal["labels", "geojson", "rois", "coco", "objects", "counts", "seg", "nifti"]
"""Forms of a result beside the mask: a label image, outlines for QuPath and for ImageJ, COCO, tables of objects and of
images, DICOM SEG, NIfTI."""
LossName = Literal["ce_dice", "focal_dice", "ce_dice_cldice"]
TorchPrecision = Literal["float32", "bfloat16"]
ExportPrecision = Literal["float32", "bfloat16", "float16", "int8"]
"""Exact ones first."""
ExportFormat = Literal["onnx", "openvino", "pt2", "executorch"]
NO_PRETRAINED = "none"
"""In place of a trained model that a training could start from."""
MOST_CHANNELS = 64
"""Of an image that is read."""
