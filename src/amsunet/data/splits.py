"""Split a data set into training, validation and test images: by group, stratified, seeded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from amsunet.data.discovery.layout import Sample, Split

MINIMUM_FOR_TEST = 10
"""With fewer images, none is held out for test."""
_VALIDATION_FRACTION = 0.2
"""Share of the groups to validate on; of those outside the fold, where there are folds."""


def assign_splits(
    samples: Sequence[Sample],
    foreground: Mapping[str, float],
    *,
    seed: int,
    copies: Mapping[str, str] | None = None,
    test_fraction: float = 0.2,
) -> dict[str, Split]:
    """Give every sample a split. Splits that the data set names are kept; missing ones are cut from the rest.

    Samples of one group (patient) stay together, and no test image is cut from a group with validation images that the
    data set names. The rest is stratified by foreground share.

    Args:
        samples: The samples of a data set.
        foreground: Foreground share by sample name.
        seed: Of the choice of validation images; test images are the same for every seed.
        copies: A key by sample name that copies of an image share; they stay in one split.
        test_fraction: Share of the groups to test on, if the data set names no test images and has
            ``MINIMUM_FOR_TEST`` images or more.

    Returns:
        Split by sample name.
    """
    split_of: dict[str, Split] = {sample.name: sample.split for sample in samples if sample.split is not None}
    free = [sample for sample in samples if sample.split in (None, "train")]
    given = set(split_of.values())
    groups = _groups(samples, copies)
    if "test" not in given and len(samples) >= MINIMUM_FOR_TEST:
        # Test images may come from those named 'train', but not from groups with validation images.
        taken = {groups[sample.name] for sample in samples if sample.split == "val"}
        for sample in _cut(free, groups, foreground, test_fraction, np.random.default_rng(0), taken):
            split_of[sample.name] = "test"
    rest = [sample for sample in free if split_of.get(sample.name) != "test"]
    if "val" not in given and len(rest) > 1:
        for sample in _cut(rest, groups, foreground, _VALIDATION_FRACTION, np.random.default_rng(seed)):
            split_of[sample.name] = "val"
    return {sample.name: split_of.get(sample.name, "train") for sample in samples}


def deal_folds(
    samples: Sequence[Sample],
    foreground: Mapping[str, float],
    folds: int,
    *,
    copies: Mapping[str, str] | None = None,
) -> dict[str, int]:
    """Cut the samples into folds, groups together and stratified by foreground share as in ``assign_splits``.

    Args:
        samples: The samples of a data set.
        foreground: Foreground share by sample name.
        folds: How many.
        copies: A key by sample name that copies of an image share; they stay in one fold.

    Returns:
        The fold of every sample by name, counted from 0.

    Raises:
        ValueError: If there are fewer groups than folds.
    """
    group_of = _groups(samples, copies)
    shares: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        shares[group_of[sample.name]].append(foreground[sample.name])
    if not 2 <= folds <= len(shares):
        raise ValueError(f"{len(shares)} images or patients cannot be cut into {folds} folds")
    ordered = sorted(shares, key=lambda key: (float(np.mean(shares[key])), key))
    rng = np.random.default_rng(0)
    fold_of: dict[str, int] = {}
    for start in range(0, len(ordered), folds):
        for group, fold in zip(ordered[start : start + folds], rng.permutation(folds), strict=False):
            fold_of[group] = int(fold)
    return {sample.name: fold_of[group_of[sample.name]] for sample in samples}


def assign_folds(
    samples: Sequence[Sample],
    foreground: Mapping[str, float],
    folds: int,
    *,
    copies: Mapping[str, str] | None = None,
) -> list[dict[str, Split]]:
    """Split the samples for cross-validation: each fold of ``deal_folds`` is the test split once.

    Test images that the data set names stay unused.

    Args:
        samples: The samples of a data set.
        foreground: Foreground share by sample name.
        folds: How many.
        copies: A key by sample name that copies of an image share; they stay in one fold.

    Returns:
        For each fold the split of every sample by name.

    Raises:
        ValueError: If there are fewer groups than folds.
    """
    free = [sample for sample in samples if sample.split != "test"]
    fold_of = deal_folds(free, foreground, folds, copies=copies)
    group_of = _groups(samples, copies)
    out = []
    for fold in range(folds):
        held_out = {sample.name for sample in free if fold_of[sample.name] == fold}
        others = [sample for sample in free if sample.name not in held_out]
        chosen = {s.name for s in _cut(others, group_of, foreground, _VALIDATION_FRACTION, np.random.default_rng(fold))}
        splits: dict[str, Split] = {sample.name: "unused" for sample in samples}
        splits |= {s.name: "test" if s.name in held_out else "val" if s.name in chosen else "train" for s in free}
        out.append(splits)
    return out


def _groups(samples: Sequence[Sample], copies: Mapping[str, str] | None) -> dict[str, str]:
    """A key by sample name that is shared by a patient's images, and by copies of them."""
    picture = {s.name: (copies or {}).get(s.name, s.name) for s in samples}
    patient = {picture[s.name]: f"group {s.group}" for s in reversed(samples) if s.group}
    return {s.name: f"group {s.group}" if s.group else patient.get(picture[s.name], picture[s.name]) for s in samples}


def _cut(
    samples: Sequence[Sample],
    group_of: Mapping[str, str],
    foreground: Mapping[str, float],
    fraction: float,
    rng: np.random.Generator,
    taken: Collection[str] = (),
) -> list[Sample]:
    """Choose about ``fraction`` of the samples in whole groups: at least one, never all, none of ``taken``."""
    if fraction <= 0:
        return []
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[group_of[sample.name]].append(sample)
    if len(groups) < 2:
        return []
    shares = {key: float(np.mean([foreground[sample.name] for sample in group])) for key, group in groups.items()}
    ordered = sorted(groups.keys() - {*taken}, key=lambda key: (shares[key], groups[key][0].name))
    wanted = min(max(1, round(fraction * len(groups))), len(groups) - 1, len(ordered))
    if not ordered:
        return []
    strata = np.array_split(np.array(ordered, dtype=object), wanted)
    return [sample for stratum in strata for sample in groups[rng.choice(stratum)]]
