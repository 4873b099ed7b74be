"""Find duplicates and near-duplicates of images, which leak from training into evaluation."""

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
from amsunet.data.thumbnail import THUMBNAIL
from amsunet.wording import setting

_ALIKE = 0.998
"""Two images look nearly the same from this correlation of their thumbnails on."""
_MAYBE = 0.97
"""From this correlation on they are copies (scaled, brightened, saved as JPEG) if their details agree too."""
_AGREE = 0.88
"""Details agree from this correlation on. Different images of DRIVE, GlaS, DSB2018 and a stack of slices stay below
0.80."""
_ROWS, _COLUMNS = 1024, 4096
_WEIGHTS = np.random.default_rng(0).standard_normal((THUMBNAIL, THUMBNAIL), np.float32)
"""Of no symmetry, so that they tell the turns of a picture apart."""

_Partners = list[dict[Split, int]]
"""For each image the index of a duplicate in each split that holds one."""


def warn_of_repeats(scans: Sequence[Scan], splits: Mapping[str, Split]) -> list[str]:
    """Warn of images that occur more than once, exactly or nearly, within a split and across splits.

    Args:
        scans: The scans of a data set.
        splits: Split by sample name.

    Returns:
        Sentences that count the images and name two of them.
    """
    warnings = []
    same, alike = _find_same(scans, splits), _find_alike(scans, splits)
    kept = "copies stay in one split of those cut here; " if any(s.sample.split is None for s in scans) else ""
    if crossing := _crossing(scans, splits, same, "are"):
        warnings.append(f"{crossing}, pixel for pixel: a score on them is too good; keep one of each")
    if crossing := _crossing(scans, splits, alike, "look nearly the same as"):
        warnings.append(
            f"{crossing}: a score on them is too good if they are copies or of one patient; keep one of each, or name "
            f"the patients with {setting('group')}"
        )
    for partners, what, remedy in (
        (same, "occur more than once", "keep one of each"),
        (alike, "look nearly the same as another", f"{kept}if they are of one patient, set {setting('group')}"),
    ):
        within = [(i, of[part]) for i, of in enumerate(partners) if (part := splits[scans[i].sample.name]) in of]
        if within:
            a, b = (scans[index].sample.image for index in within[0])
            warnings.append(f"{len(within)} images {what} in one split, as {a} and {b}: {remedy}")
    return warnings


def keep_together(scans: Sequence[Scan]) -> dict[str, str]:
    """Find images that have to stay in one split because they are copies of each other.

    Copies are equal, or agree in their detail. Images that are merely similar may be of one series, and are no copies.

    Args:
        scans: The scans of a data set.

    Returns:
        A key by sample name; copies share it.
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


def warn_of_leakage(scans: Sequence[Scan], splits: Mapping[str, Split], evaluated: Collection[str]) -> list[str]:
    """Warn of evaluated images that are duplicates of training or validation images, exactly or nearly.

    Args:
        scans: The scans of a data set.
        splits: Split by sample name.
        evaluated: The names of the images that are evaluated.

    Returns:
        Sentences that count the images and name a pair.
    """
    known: set[int] = set()
    warnings = []
    for find, how in ((_find_same, "were"), (_find_alike, "look nearly the same as images that were")):
        pairs = []
        for index, of in enumerate(find(scans, splits)):
            name = scans[index].sample.name
            seen = [of[split] for split in ("train", "val") if split in of and split != splits[name]]
            pairs += [(index, seen[0])] if seen and name in evaluated and index not in known else []
        known |= {index for index, _ in pairs}
        if pairs:
            a, b = (scans[index].sample.image for index in pairs[0])
            warnings.append(
                f"{len(pairs)} of these {len(evaluated)} images {how} used in training or validation, as {a} and {b}: "
                "the score is too good"
            )
    return warnings


def pack_thumbnail(scan: Scan) -> str:
    """Encode a thumbnail as text, so that the image can be recognised without its file."""
    peak = max(float(np.abs(scan.thumbnail).max()), 1e-6)
    return base64.b64encode(np.round(127 * scan.thumbnail / peak).astype(np.int8).tobytes()).decode()


def find_copies(scans: Sequence[Scan], packed: Sequence[str]) -> list[tuple[int, int]]:
    """Find images that look nearly the same as others, which are known by their thumbnails alone.

    Args:
        scans: The scans of the images.
        packed: Thumbnails of the others, from ``pack_thumbnail``.

    Returns:
        Places of an image and of one that it looks like, a pair for each image that looks like any.
    """
    if not (scans and packed):
        return []
    known = _unit(np.stack([np.frombuffer(base64.b64decode(text), np.int8) for text in packed]))
    copies: list[tuple[int, int]] = []
    for start in range(0, len(scans), _ROWS):  # tens of thousands of each would not fit into memory at once
        alike = np.stack([scan.thumbnail.ravel() for scan in scans[start : start + _ROWS]]) @ known.T > _ALIKE
        copies += [(start + int(row), int(alike[row].argmax())) for row in np.flatnonzero(alike.any(axis=1))]
    return copies


def warn_of_copies(scans: Sequence[Scan], trained_on: Mapping[str, str]) -> list[str]:
    """Warn of images that look nearly the same as training or validation images, known by their thumbnails alone.

    Args:
        scans: The scans of the images to evaluate.
        trained_on: Thumbnails from ``pack_thumbnail``, by sample name.

    Returns:
        A sentence that counts the images and names a pair; empty if there are none.
    """
    copies = find_copies(scans, [*trained_on.values()])
    if not copies:
        return []
    a, b = scans[copies[0][0]].sample.image, [*trained_on][copies[0][1]]
    return [
        f"{len(copies)} of these {len(scans)} images look nearly the same as images used in training or validation, "
        f"as {a} and {b} of the training: the score is too good"
    ]


def _crossing(scans: Sequence[Scan], splits: Mapping[str, Split], partners: _Partners, how: str) -> str:
    counts = Counter(splits[scan.sample.name] for scan in scans)
    clauses = []
    for seen, evaluated in combinations(SPLIT_WORDS, 2):
        found = [
            (i, of[seen]) for i, of in enumerate(partners) if splits[scans[i].sample.name] == evaluated and seen in of
        ]
        if found:
            a, b = (scans[index].sample.image for index in found[0])
            clauses.append(
                f"{len(found)} of {counts[evaluated]} {SPLIT_WORDS[evaluated]} images {how} {SPLIT_WORDS[seen]} "
                f"images, as {a} and {b}"
            )
    return "; ".join(clauses)


def _find_same(scans: Sequence[Scan], splits: Mapping[str, Split]) -> _Partners:
    by_checksum: dict[str, list[int]] = defaultdict(list)
    for index, scan in enumerate(scans):
        if any(scan.std):  # slices outside of the body are all the same, and show nothing
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
    """For each image, which others look nearly the same and which are copies, (N,) of bool each; copies may be turned
    or mirrored.
    """
    upright = [(scan.thumbnail, scan.detail) for scan in scans]
    for (alike, copies), (_, turned) in zip(
        _compare_upright(upright), _compare_upright([_in_one_turn(*one) for one in upright]), strict=True
    ):
        yield alike | turned, copies | turned


def _in_one_turn(rough: Array, fine: Array) -> tuple[Array, Array]:
    """A thumbnail and its detail, turned and mirrored into that of eight ways in which copies of the image end too."""
    turns = [(mirror, quarters) for mirror in (1, -1) for quarters in range(4)]
    mirror, quarters = max(turns, key=lambda turn: float((np.rot90(rough[:, :: turn[0]], turn[1]) * _WEIGHTS).sum()))
    return np.rot90(rough[:, ::mirror], quarters), np.rot90(fine[:, ::mirror], quarters)


def _compare_upright(pictures: Sequence[tuple[Array, Array]]) -> Iterator[tuple[Array, Array]]:
    """For each thumbnail with its detail, which others look nearly the same and which are copies."""
    rough = np.stack([picture.ravel() for picture, _ in pictures])
    fine = np.stack([detail.ravel() for _, detail in pictures])
    for start in range(0, len(rough), _ROWS):
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
