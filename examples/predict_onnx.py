"""Segment an image with an exported network and nothing of amsunet: needs onnxruntime, Pillow and NumPy.

python predict_onnx.py network.onnx image.png mask.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

network, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["amsunet"])
preprocessing = about["preprocessing"]

# As in training: channels, brightness window, working size. Here for images of 8 bits.
picture = ImageOps.exif_transpose(Image.open(source)).convert("RGB" if preprocessing["in_channels"] == 3 else "L")
pixels = np.asarray(picture, np.float32)
if preprocessing["windowing"] == "percentiles":
    low, high = np.percentile(pixels, (0.5, 99.5))
    pixels = np.clip((pixels - low) * 255 / max(high - low, 1), 0, 255).round()
working = [max(1, round(side * preprocessing["scale"])) for side in picture.size]
small = Image.fromarray(pixels.astype(np.uint8)).resize(working, Image.Resampling.BILINEAR)
image = np.asarray(small, np.float32).reshape(working[1], working[0], -1).transpose(2, 0, 1)[None]

logits = session.run(None, {"image": np.ascontiguousarray(image)})[0][0]
probabilities = np.exp(logits - logits.max(axis=0)) / np.exp(logits - logits.max(axis=0)).sum(axis=0)
mask = probabilities[1] > about["threshold"] if len(logits) == 2 else probabilities.argmax(axis=0)
values = np.array(about["convention"]["values"], np.uint8)[mask.astype(int)]
Image.fromarray(values).resize(picture.size, Image.Resampling.NEAREST).save(target)
