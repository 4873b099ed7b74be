"""Segment an image of 8 bits with an exported network and nothing of amsunet: onnxruntime, Pillow and NumPy.

Needs SciPy too, if the network's small objects are to be left out.

    python predict_onnx.py network.onnx image.png mask.png

Writes the mask with the pixel values of the training masks; objects are not numbered apart, and where each class had a
folder of its own, values are class numbers.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

network, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["amsunet"])
preprocessing, values = about["preprocessing"], np.array(about["convention"]["values"])
if preprocessing["windowing"] == "clahe":
    sys.exit("the network takes images windowed by clahe, not done here: see equalise in amsunet/data/clahe.py")

# As in training: channels, brightness window, working size.
picture = ImageOps.exif_transpose(Image.open(source)).convert("RGB" if preprocessing["in_channels"] == 3 else "L")
pixels = np.asarray(picture, np.float32)
if preprocessing["windowing"] != "depth":
    low, high = np.percentile(pixels, (0.5, 99.5))
    pixels = np.clip((pixels - low) / max(high - low, 1), 0, 1)
    if preprocessing["windowing"] == "bright_on_dark" and pixels.mean() > 0.5:
        pixels = 1 - pixels
    if preprocessing["windowing"] in ("gamma", "bright_on_dark") and 0 < pixels.mean() < 0.3:
        pixels = pixels ** max(0.4, np.log(0.3) / np.log(pixels.mean()))
    pixels = (255 * pixels).round()
working = [max(1, round(side * preprocessing["scale"])) for side in picture.size]
small = Image.fromarray(pixels.astype(np.uint8)).resize(working, Image.Resampling.BILINEAR)
image = np.asarray(small, np.float32).reshape(working[1], working[0], -1).transpose(2, 0, 1)[None]

logits = session.run(None, {"image": np.ascontiguousarray(image)})[0][0]
logits = np.stack([Image.fromarray(one).resize(picture.size, Image.Resampling.BILINEAR) for one in logits])
probabilities = np.exp(logits - logits.max(axis=0)) / np.exp(logits - logits.max(axis=0)).sum(axis=0)
labels = probabilities[1] > about["threshold"] if len(logits) == 2 else probabilities.argmax(axis=0)
if smallest := about.get("smallest_object"):
    from scipy import ndimage

    for part in (True, False):  # objects are dropped, then holes are filled
        numbered, _ = ndimage.label(labels == part)
        labels[(np.bincount(numbered.ravel()) < smallest)[numbered] & (labels == part)] = not part
mask = values[labels.astype(int)]
if about["convention"]["kind"] == "colours":
    mask = np.stack([mask >> 16, mask >> 8 & 255, mask & 255], axis=-1)
Image.fromarray(mask.astype(np.uint8)).save(target)
