"""Where the results for an image go: every file that a prediction writes, known before it is written."""

from __future__ import annotations

from pathlib import Path

from amsunet.data.masks import MaskConvention


def mask_paths(out: Path, name: str, convention: MaskConvention, suffix: str = ".png") -> list[Path]:
    """Of the masks: one file, or one in the folder of each class."""
    if convention.kind == "folders":
        return [out / class_name / f"{name}{suffix}" for class_name in convention.class_names[1:]]
    return [out / f"{name}{suffix}"]


def overlay_path(out: Path, name: str) -> Path:
    """Of the image with outlines."""
    return out / "overlays" / f"{name}.png"


def probability_paths(out: Path, name: str, convention: MaskConvention) -> dict[int, Path]:
    """Of the probability maps, by class number: of two classes that of the foreground alone."""
    names = convention.class_names
    if len(names) == 2:
        return {1: out / "probabilities" / f"{name}.png"}
    return {
        label: out / "probabilities" / f"{name}_{class_name.replace(' ', '_')}.png"
        for label, class_name in enumerate(names)
    }
