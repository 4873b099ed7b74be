"""Segment an image of 8 bits with an exported network and nothing of amsunet: onnxruntime, Pillow and NumPy.

    python predict_onnx.py network.onnx image.png mask.png

Writes the mask with the pixel values of the training masks. Unlike `amsunet predict` it keeps objects however small,
does not number them, and writes class numbers where each class had a folder of its own.
"""

import json
import os
import sys

import numpy as np
from PIL import Image, ImageOps

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it is read by the import
import onnxruntime

network, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["amsunet"])
preprocessing, values = about["preprocessing"], np.array(about["convention"]["values"])
normalization = preprocessing["normalization"]
picture = ImageOps.exif_transpose(Image.open(source, formats=["PNG", "JPEG", "TIFF"]))
if picture.mode[0] in "IF":
    sys.exit("not done here: images of more than 8 bits")

# As in training: channels, normalization, working size.
pixels = np.asarray(picture.convert("RGB" if preprocessing["in_channels"] == 3 else "L"), np.float32)
if normalization != "depth":
    over = (0, 1) if normalization == "channels" else None
    low, high = np.percentile(pixels, (0.5, 99.5), axis=over)
    few = high <= low  # differ from the rest
    low, high = np.where(few, pixels.min(axis=over), low), np.where(few, pixels.max(axis=over), high)
    pixels = np.clip((pixels - low) / np.where(high > low, high - low, 1), 0, 1)
    pixels = 1 - pixels if normalization == "bright_on_dark" and pixels.mean() > 0.5 else pixels
    lift = normalization not in ("percentiles", "channels") and 0 < pixels.mean() < 0.3
    pixels = 255 * (pixels ** max(0.4, np.log(0.3) / np.log(pixels.mean())) if lift else pixels)
scale = preprocessing["scale"]
if preprocessing.get("image_scale") == "size":  # images of another size than in training are brought to that
    ratio = (picture.width * picture.height / np.prod(preprocessing["typical_size"])) ** 0.5
    scale = scale if 1 / 1.1 <= ratio <= 1.1 else scale / ratio
width, height = (max(1, round(side * scale)) for side in picture.size)
if min(width, height) < 32:
    sys.exit("not done here: images with a side under 32 pixels at working size")
small = Image.fromarray(pixels.round().astype(np.uint8)).resize((width, height), Image.Resampling.BILINEAR)
image = np.asarray(small, np.float32).reshape(height, width, -1).transpose(2, 0, 1)[None]

logits = session.run(None, {"image": np.ascontiguousarray(image)})[0][0]
logits = np.stack([Image.fromarray(one).resize(picture.size, Image.Resampling.BILINEAR) for one in logits])
shares = np.exp(logits - logits.max(axis=0))
labels = shares[1] > about["threshold"] * shares.sum(axis=0) if len(shares) == 2 else shares.argmax(axis=0)
mask = values[labels.astype(int)]
if about["convention"]["kind"] == "colours":
    mask = np.stack([mask >> 16, mask >> 8 & 255, mask & 255], axis=-1)
Image.fromarray(mask.astype(np.uint8 if mask.max() < 256 else np.uint16)).save(target)
