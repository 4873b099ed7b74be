"""Pictures that occur more than once, and pictures that nearly do: a score on them is too good."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from amsunet.data.scan import Scan

_ALIKE = 0.998
"""Correlation of thumbnails from which on two pictures look nearly the same."""
_ROWS = 1024


def repeated_images(scans: Sequence[Scan]) -> list[str]:
    """Say how many images occur more than once, pixel for pixel, and name two of them."""
    by_checksum: dict[str, list[Scan]] = defaultdict(list)
    for scan in scans:
        by_checksum[scan.checksum].append(scan)
    same = [group for group in by_checksum.values() if len(group) > 1]
    if not same:
        return []
    a, b = (scan.sample.image for scan in same[0][:2])
    return [f"{len(same)} images occur more than once, as {a} and {b}: keep one of each"]


def lookalikes(scans: Sequence[Scan], splits: Mapping[str, str]) -> list[str]:
    """Say how many pairs look nearly the same, and of which the halves lie in different splits, by sample name."""
    thumbnails = np.stack([scan.thumbnail.ravel() for scan in scans])
    pairs = []
    for start in range(0, len(scans), _ROWS):
        alike = thumbnails[start : start + _ROWS] @ thumbnails.T > _ALIKE
        for i, j in zip(*np.nonzero(alike), strict=True):
            a, b = scans[start + i], scans[j]
            if start + i < j and a.checksum != b.checksum:
                pairs.append((a.sample, b.sample))
    if not pairs:
        return []
    crossing = [(a, b) for a, b in pairs if splits[a.name] != splits[b.name]]
    first, second = (crossing or pairs)[0]
    return [
        f"{len(pairs)} pairs look nearly the same ({len(crossing)} across splits), as {first.image} and "
        f"{second.image}: if they are of one patient, say so with --group"
    ]
