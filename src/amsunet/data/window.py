"""The window of CT: values of black and white that are the same for all images, because a value there means a tissue.

Air has -1,000 Hounsfield units and water 0 in every file, so a range of its own for every slice would take away what
the scanner measured. As nnU-Net does, values are cut at the 0.5th and the 99.5th percentile of the foreground of all
images; what lies outside is air or bone beside what is to be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from amsunet.data.containers import modality_of
from amsunet.data.masks.convention import IGNORE_INDEX
from amsunet.data.scan import Scan

if TYPE_CHECKING:
    from amsunet.data.dataset import Dataset

_CT = "CT"
_AIR = -900
"""Hounsfield units that nearly every slice of CT has somewhere, and no other measurement that is known."""
_LOWEST = -5000
"""Below what scanners write where they measure nothing."""
_TISSUE = 100
"""Hounsfield units that contrast, calcium or bone exceed in some slice."""
_NEARLY_ALL = 0.9
_LOOKED_AT = 64
"""Images whose foreground is read."""
_SAMPLED = 20_000
"""Values of each of them."""
_PERCENTILES = (0.5, 99.5)
_FEWEST_VALUES = 100
_NARROWEST = 10.0
"""Hounsfield units: noise alone is wider."""


def find_window(dataset: Dataset, scans: Sequence[Scan]) -> tuple[float, float] | None:
    """Find the window of a data set of CT.

    Args:
        dataset: The data set.
        scans: Of its images that are trained on.

    Returns:
        The values of black and white; None of images that are not CT, or stored in 8 bits, which somebody windowed.
    """
    if not _is_ct(dataset.named_channels, scans):
        return None
    foreground = [scan for scan in scans if dataset.has_foreground(scan)]
    values = [np.zeros(0, np.float32)]
    for scan in foreground[:: -(-len(foreground) // _LOOKED_AT) or 1]:
        image, labels = dataset.read(scan.sample)
        inside = image[(labels != 0) & (labels != IGNORE_INDEX)].ravel()
        values.append(inside[:: -(-len(inside) // _SAMPLED) or 1])
    together = np.concatenate(values)
    if len(together) < _FEWEST_VALUES:
        return None
    low, high = np.percentile(together, _PERCENTILES).round().tolist()
    return (low, high) if high - low >= _NARROWEST else None


def _is_ct(named_channels: Sequence[str], scans: Sequence[Scan]) -> bool:
    """Whether files, or the data set, say that images are CT; where nothing says what they are, whether values do."""
    if any(scan.values.type == "uint8" or scan.channels != 1 for scan in scans):
        return False
    if named_channels:
        return {name.strip().upper() for name in named_channels} == {_CT}
    modalities = {modality_of(scan.sample.image) for scan in scans}
    if modalities != {""}:
        return modalities == {_CT}
    lows = np.array([scan.values.low for scan in scans])
    with_air = np.mean(lows <= _AIR) >= _NEARLY_ALL and lows.min() >= _LOWEST
    return bool(with_air and max(scan.values.high for scan in scans) >= _TISSUE)
