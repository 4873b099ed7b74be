"""Masks with soft edges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from made_masks import SIDE, as_jpeg, blob, disc, find
from PIL import Image, ImageFilter

from amsunet.data.images import Array
from amsunet.errors import InputError

P = Path("m.png")
HARD = [np.uint8(255) * blob(n) for n in range(4)]
ORGANS = [
    np.where(disc(30, 30 + 4 * n, 13), 85, np.where(disc(66, 60, 15), 170, np.where(disc(24, 72, 12), 255, 0)))
    for n in range(4)
]


def _half(mask: Array, how: Image.Resampling) -> Array:
    return np.asarray(Image.fromarray(mask).resize((61, 61), how).resize((SIDE, SIDE), how))


def _blur(mask: Array, radius: float) -> Array:
    return np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(radius)))


SOFT = {
    "blurred": (lambda m: _blur(m, 1), "m.png", 128),
    "widely blurred": (lambda m: _blur(m, 2.5), "m.png", 128),
    "bilinear": (lambda m: _half(m, Image.Resampling.BILINEAR), "m.png", 128),
    "antialiased": (lambda m: np.asarray(Image.fromarray(m).rotate(7, Image.Resampling.BICUBIC)), "m.png", 128),
    "16 bit": (lambda m: _blur(m, 1).astype(np.uint16) * 257, "m.png", 32768),
    "shares": (lambda m: np.float32(_blur(m, 1) / 255), "m.tif", 0.5),
    **{f"JPEG {q}": (lambda m, q=q: as_jpeg(m, q), "m.jpg", 128) for q in (30, 75, 95, 100)},
    "JPEG 75 saved as PNG": (lambda m: as_jpeg(m, 75), "m.png", 128),
    "JPEG 95 saved as PNG": (lambda m: as_jpeg(m, 95), "m.png", 128),
}


@pytest.mark.parametrize("kind", SOFT)
def test_soft_binary_masks_are_cut_half_way_and_it_is_said(kind: str) -> None:
    soften, name, threshold = SOFT[kind]
    masks = [soften(mask) for mask in HARD]
    convention, notes = find(masks, name)
    assert (convention.kind, convention.threshold) == ("threshold", pytest.approx(threshold, abs=2))
    assert "have soft edges" in notes[0] and "--mask-threshold" in notes[0]
    tolerance = 0.93 if kind == "antialiased" else 0.97  # turned by seven degrees
    assert all((convention.decode(mask, P) == blob(n)).mean() > tolerance for n, mask in enumerate(masks))


def test_few_soft_masks_among_hard_ones_are_noticed() -> None:
    convention, notes = find([*HARD * 5, _blur(HARD[0], 1)])
    assert convention.kind == "threshold" and notes[0].startswith("1 of 21 masks have soft edges")


def test_a_jpeg_of_the_best_quality_saved_again_is_cut_or_refused() -> None:
    """Of 0 and 255 a few 1 and 254 are made: no classes, and 255 is not ignored."""
    masks = [mask.copy() for mask in HARD]
    for mask in masks:
        mask[20:70:7, 5] += np.uint8(1)
    for values in ((0, 1, 255), (0, 1, 254, 255)):
        chosen = [np.where(mask == 255, np.where(np.indices(mask.shape).sum(0) % 9 == 0, values[-2], 255), mask)
                  if len(values) == 4 else mask for mask in masks]  # fmt: skip
        try:
            convention, _ = find([mask.astype(np.uint8) for mask in chosen])
            assert convention.threshold == 128
        except InputError as refusal:
            assert "--mask-threshold 128" in str(refusal)


@pytest.mark.parametrize(
    ("soften", "name"),
    [(lambda m: as_jpeg(m, 75), "m.jpg"), (lambda m: as_jpeg(m, 92), "m.png"), (lambda m: _blur(m, 1), "m.png")],
    ids=["JPEG", "JPEG as PNG", "blurred"],
)
def test_soft_edges_between_classes_are_refused_and_the_classes_named(
    soften: Callable[[Array], Array], name: str
) -> None:
    masks = [soften(mask.astype(np.uint8)) for mask in ORGANS]
    with pytest.raises(
        InputError, match=rf"{name} has soft edges between several values \(near 0, 8\d, 1[67]\d, 25\d\)"
    ):
        find(masks, name)


def test_a_heat_map_is_refused_with_the_way_out() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    heat = (255 * np.exp(-((rows - 48) ** 2 + (columns - 48) ** 2) / 6000)).astype(np.uint8)
    with pytest.raises(InputError, match="--mask-threshold 128"):
        find([heat, heat.T])


def test_a_band_between_object_and_background_is_no_edge() -> None:
    """Of a trimap only the user knows what the middle value is."""
    masks = [np.where(disc(48, 40 + n, 20), np.where(disc(48, 40 + n, 15), 255, 128), 0) for n in range(4)]
    with pytest.raises(InputError, match=r"--classes 0,128,255 or .*--classes 0,255 --ignore-value 128"):
        find([mask.astype(np.uint8) for mask in masks])


def _coloured(mask: Array, *colours: tuple[int, int, int]) -> Array:
    return np.array([(0, 0, 0), *colours], np.uint8)[mask]


@pytest.mark.parametrize("shades", [5, 256], ids=["5 shades", "all"])
def test_one_colour_with_soft_edges_is_cut_half_way(shades: int) -> None:
    def soften(mask: Array) -> Array:
        grey = np.round(_half(mask, Image.Resampling.BILINEAR) / 255 * (shades - 1)) / (shades - 1)
        return (grey[..., None] * (255, 0, 0)).astype(np.uint8)

    masks = [soften(mask) for mask in HARD]
    convention, notes = find(masks)
    assert convention.kind == "threshold" and "soft edges" in notes[0]
    assert (convention.decode(masks[1], P) == blob(1)).mean() > 0.97
    assert np.array_equal(convention.decode(convention.encode(blob(1).astype(np.uint8)), P), blob(1))


def test_a_jpeg_of_one_colour_is_cut_half_way() -> None:
    masks = [as_jpeg(_coloured(blob(n).astype(np.uint8), (255, 0, 0)), 80) for n in range(4)]
    convention, _ = find(masks, "m.jpg")
    assert (convention.decode(masks[2], P) == blob(2)).mean() > 0.96


@pytest.mark.parametrize("quality", [0, 80])
def test_several_colours_with_soft_edges_are_refused(quality: int) -> None:
    labels = [np.searchsorted([0, 85, 170, 255], mask) for mask in ORGANS]
    flat = [_coloured(mask, (255, 0, 0), (0, 255, 0), (0, 0, 255)) for mask in labels]
    masks = [as_jpeg(m, quality) if quality else _half(m, Image.Resampling.BILINEAR) for m in flat]
    with pytest.raises(
        InputError, match=r"m\.\w+ has \d+ shades.*soft edges are no classes: save the mask with one flat"
    ):
        find(masks, "m.jpg" if quality else "m.png")


@pytest.mark.parametrize("quality", [90, 100])
def test_class_numbers_in_a_jpeg_are_refused(quality: int) -> None:
    labels = [np.searchsorted([0, 85, 170, 255], mask).astype(np.uint8) for mask in ORGANS]
    with pytest.raises(
        InputError, match=r"m\.jpg is a JPEG, which changes numbers as small as class numbers \(0,1,2,3"
    ):
        find([as_jpeg(mask, quality) for mask in labels], "m.jpg")
