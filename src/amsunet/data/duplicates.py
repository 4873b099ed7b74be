"""Pictures that occur more than once, and copies that are nearly the same: a score on them is too good."""

from __future__ import annotations

import base64
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from amsunet.data.discovery.layout import Split
from amsunet.data.groups import SPLIT_WORDS
from amsunet.data.images import Array
from amsunet.data.scan import Scan
from amsunet.wording import setting

_ALIKE = 0.998
"""Correlation of thumbnails from which on two pictures look nearly the same."""
_MAYBE = 0.97
"""From which on they are copies of each other if their detail agrees too: scaled, brightened, saved as JPEG."""
_AGREE = 0.88
"""Correlation of details. Other images of DRIVE, GlaS, DSB2018 and a stack of slices stay below 0.80."""
_ROWS, _COLUMNS = 1024, 4096

_Partners = list[dict[Split, int]]
"""For each image one that is the same, in each split that has one."""


def warn_of_repeats(scans: Sequence[Scan], splits: Mapping[str, Split]) -> list[str]:
    """Say of images that occur twice, pixel for pixel or nearly, in which splits they lie, and name two of them."""
    said = []
    same, alike = _find_same(scans, splits), _find_alike(scans, splits)
    kept = "copies stay on one side of the tool's own cut; " if any(s.sample.split is None for s in scans) else ""
    if crossing := _crossing(scans, splits, same, "are"):
        said.append(f"{crossing}, pixel for pixel: a score on them is too good; keep one of each")
    if crossing := _crossing(scans, splits, alike, "look nearly the same as"):
        said.append(
            f"{crossing}: a score on them is too good if they are copies or of one patient; keep one of each, or name "
            f"the patients with {setting('group')}"
        )
    for partners, what, remedy in (
        (same, "occur more than once", "keep one of each"),
        (alike, "look nearly the same as another", f"{kept}if they are of one patient, say so with {setting('group')}"),
    ):
        within = [(i, of[part]) for i, of in enumerate(partners) if (part := splits[scans[i].sample.name]) in of]
        if within:
            a, b = (scans[index].sample.image for index in within[0])
            said.append(f"{len(within)} images {what} in one split, as {a} and {b}: {remedy}")
    return said


def keep_together(scans: Sequence[Scan]) -> dict[str, str]:
    """What must lie on one side of a cut, by sample name: images have one name with their copies, which are the same
    pixel for pixel or agree in their detail. Images that are alike without that may be of one series, and stay apart.
    """
    first = list(range(len(scans)))

    def find(index: int) -> int:
        while first[index] != index:
            index = first[index]
        return index

    earliest: dict[str, int] = {}
    for index, (scan, (_, copies)) in enumerate(zip(scans, _compare(scans), strict=True)):
        for other in (earliest.setdefault(scan.checksum, index), *np.flatnonzero(copies[:index]).tolist()):
            a, b = sorted((find(index), find(other)))
            first[b] = a
    return {scan.sample.name: scans[find(index)].checksum for index, scan in enumerate(scans)}


def warn_of_seen(scans: Sequence[Scan], splits: Mapping[str, Split], evaluated: Collection[str]) -> list[str]:
    """Say how many of the images called ``judged`` were trained or chosen on as well, pixel for pixel or nearly."""
    known: set[int] = set()
    said = []
    for find, how in ((_find_same, "were"), (_find_alike, "look nearly the same as images that were")):
        pairs = []
        for index, of in enumerate(find(scans, splits)):
            name = scans[index].sample.name
            seen = [of[split] for split in ("train", "val") if split in of and split != splits[name]]
            pairs += [(index, seen[0])] if seen and name in evaluated and index not in known else []
        known |= {index for index, _ in pairs}
        if pairs:
            a, b = (scans[index].sample.image for index in pairs[0])
            said.append(
                f"{len(pairs)} of these {len(evaluated)} images {how} trained or chosen on, as {a} and {b}: "
                "the score is too good"
            )
    return said


def pack_thumbnail(scan: Scan) -> str:
    """A thumbnail as text, to know a picture by when its file is gone."""
    peak = max(float(np.abs(scan.thumbnail).max()), 1e-6)
    return base64.b64encode(np.round(127 * scan.thumbnail / peak).astype(np.int8).tobytes()).decode()


def warn_of_copies(scans: Sequence[Scan], trained_on: Mapping[str, str]) -> list[str]:
    """Say how many pictures look nearly the same as some that were trained or chosen on.

    Args:
        trained_on: thumbnails as ``pack_thumbnail`` gives them, by sample name.
    """
    if not (scans and trained_on):
        return []
    known = _unit(np.stack([np.frombuffer(base64.b64decode(text), np.int8) for text in trained_on.values()]))
    copies: list[tuple[int, int]] = []
    for start in range(0, len(scans), _ROWS):  # tens of thousands of each would not fit into memory at once
        alike = np.stack([scan.thumbnail.ravel() for scan in scans[start : start + _ROWS]]) @ known.T > _ALIKE
        copies += [(start + int(row), int(alike[row].argmax())) for row in np.flatnonzero(alike.any(axis=1))]
    if not copies:
        return []
    a, b = scans[copies[0][0]].sample.image, [*trained_on][copies[0][1]]
    return [
        f"{len(copies)} of these {len(scans)} images look nearly the same as images that were trained or chosen on, "
        f"as {a} and {b} of the training: the score is too good"
    ]


def _crossing(scans: Sequence[Scan], splits: Mapping[str, Split], partners: _Partners, how: str) -> str:
    counts = Counter(splits[scan.sample.name] for scan in scans)
    told = []
    for seen, evaluated in combinations(SPLIT_WORDS, 2):
        found = [
            (i, of[seen]) for i, of in enumerate(partners) if splits[scans[i].sample.name] == evaluated and seen in of
        ]
        if found:
            a, b = (scans[index].sample.image for index in found[0])
            told.append(
                f"{len(found)} of {counts[evaluated]} {SPLIT_WORDS[evaluated]} images {how} {SPLIT_WORDS[seen]} "
                f"images, as {a} and {b}"
            )
    return "; ".join(told)


def _find_same(scans: Sequence[Scan], splits: Mapping[str, Split]) -> _Partners:
    by_checksum: dict[str, list[int]] = defaultdict(list)
    for index, scan in enumerate(scans):
        by_checksum[scan.checksum].append(index)
    partners: _Partners = [{} for _ in scans]
    for group in by_checksum.values():
        first_two: dict[Split, list[int]] = defaultdict(list)
        for index in group:
            of_split = first_two[splits[scans[index].sample.name]]
            of_split += [index] if len(of_split) < 2 else []
        for index in group:
            others = {split: [other for other in few if other != index] for split, few in first_two.items()}
            partners[index] = {split: few[0] for split, few in others.items() if few}
    return partners


def _find_alike(scans: Sequence[Scan], splits: Mapping[str, Split]) -> _Partners:
    partners: _Partners = []
    for mine, (alike, _) in zip(scans, _compare(scans), strict=True):
        others = [
            other
            for other in np.flatnonzero(alike).tolist()
            if scans[other].checksum != mine.checksum
            and (mine.sample.group is None or scans[other].sample.group != mine.sample.group)
        ]
        partners.append({splits[scans[other].sample.name]: other for other in reversed(others)})
    return partners


def _compare(scans: Sequence[Scan]) -> Iterator[tuple[Array, Array]]:
    """For each image which others look nearly the same, and which of them are copies of it, (N,) of bool each."""
    rough = np.stack([scan.thumbnail.ravel() for scan in scans])
    fine = np.stack([scan.detail.ravel() for scan in scans])
    for start in range(0, len(scans), _ROWS):
        near = rough[start : start + _ROWS] @ rough.T
        rows = np.arange(len(near))
        near[rows, start + rows] = -1
        maybe, copies = near > _MAYBE, np.zeros(near.shape, bool)
        rows = rows[maybe.any(axis=1)]
        columns = np.flatnonzero(maybe.any(axis=0))
        of_rows = _unit(fine[start + rows])
        for some in np.split(columns, range(_COLUMNS, len(columns), _COLUMNS)):
            place = np.ix_(rows, some)
            copies[place] = maybe[place] & (of_rows @ _unit(fine[some]).T > _AGREE)
        yield from zip((near > _ALIKE) | copies, copies, strict=True)


def _unit(fine: Array) -> Array:
    centred = fine - fine.mean(axis=1, keepdims=True, dtype=np.float32)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6))
