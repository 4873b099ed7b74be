"""Masks with soft edges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from made_masks import SIDE, as_jpeg, blob, disc, find, summarise_file
from PIL import Image, ImageFilter
from scipy import ndimage

from amsunet.data.images import Array
from amsunet.data.masks import MaskOptions
from amsunet.data.masks.rules import find_convention
from amsunet.data.masks.summary import summarise_mask
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
def test_soft_binary_masks_are_cut_half_way_with_a_note(kind: str) -> None:
    soften, name, threshold = SOFT[kind]
    masks = [soften(mask) for mask in HARD]
    convention, notes = find(masks, name)
    assert (convention.kind, convention.threshold) == ("threshold", pytest.approx(threshold, abs=2))
    assert "have soft edges" in notes[0] and "--mask-threshold" in notes[0]
    tolerance = 0.93 if kind == "antialiased" else 0.97  # turned by seven degrees
    assert all((convention.decode(mask, P) == blob(n)).mean() > tolerance for n, mask in enumerate(masks))


@pytest.mark.parametrize("quality", [50, 95])
def test_thin_structures_in_a_jpeg_are_cut_half_way(quality: int) -> None:
    lines = [np.abs(np.subtract.outer(np.arange(SIDE), (np.arange(SIDE) * (n + 1) / 3) % SIDE)) < 1 for n in range(4)]
    masks = [as_jpeg(np.uint8(255) * line, quality) for line in lines]
    convention, _ = find(masks, "m.jpg")
    assert all((convention.decode(mask, P) == line).mean() > 0.99 for mask, line in zip(masks, lines, strict=True))


@pytest.mark.parametrize(("low", "high"), [(5, 250), (160, 65000)])
def test_probabilities_that_reach_neither_end_are_cut_half_way(low: int, high: int) -> None:
    maps = [(low + (_blur(mask, 2) / 255) * (high - low)).astype(np.uint16) for mask in HARD]
    convention, _ = find(maps)
    assert convention.threshold == pytest.approx(high / 2, rel=0.01)


def test_some_inverted_masks_with_soft_edges_are_refused_with_one_of_each() -> None:
    masks = [as_jpeg(mask if n % 2 else 255 - mask, 90) for n, mask in enumerate(HARD)]
    with pytest.raises(InputError, match=r"is bright around .*or set --mask-threshold 128 if all are right"):
        find(masks, "m.jpg")


def test_few_soft_masks_among_hard_ones_are_noticed() -> None:
    convention, notes = find([*HARD * 5, _blur(HARD[0], 1)])
    assert convention.kind == "threshold" and notes[0].startswith("1 of 21 masks have soft edges")


def _resaved(*values: int) -> list[Array]:
    """Of 0 and 255 a JPEG of the best quality made a few 1, and 254 where asked."""
    masks = []
    for mask in HARD:
        few = np.indices(mask.shape).sum(0) % 9 == 0
        changed = np.where((mask == 255) & few, values[-2], mask) if len(values) == 4 else mask.copy()
        changed[20:70:7, 5] += 1
        masks.append(changed.astype(np.uint8))
    return masks


def test_a_jpeg_of_the_best_quality_saved_again_is_cut_where_both_ends_waver() -> None:
    convention, _ = find(_resaved(0, 1, 254, 255))
    assert convention.threshold == 128


def test_a_jpeg_of_the_best_quality_saved_again_is_refused_where_255_might_be_ignored() -> None:
    with pytest.raises(InputError, match="--mask-threshold 128 if 255 is the object"):
        find(_resaved(0, 1, 255))


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


@pytest.mark.parametrize("values", [(0, 1), (0, 1, 2)], ids=["binary", "three classes"])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".webp", {"quality": 60}), (".tif", {"compression": "jpeg", "quality": 80})],
    ids=["WebP", "JPEG in TIFF"],
)
def test_class_numbers_in_any_lossy_file_are_refused(
    suffix: str, options: dict[str, Any], values: tuple[int, ...], tmp_path: Path
) -> None:
    labels = [np.minimum(np.searchsorted([0, 85, 170, 255], mask), values[-1]).astype(np.uint8) for mask in ORGANS]
    paths = [tmp_path / f"{number}{suffix}" for number in range(len(labels))]
    for path, mask in zip(paths, labels, strict=True):
        Image.fromarray(mask).save(path, **options)
    with pytest.raises(InputError, match=r"0\.\w+ is compressed with loss, .*save the masks as PNG"):
        find_convention([summarise_file(path) for path in paths], MaskOptions())


def test_a_webp_without_loss_is_as_good_as_a_png(tmp_path: Path) -> None:
    for number, mask in enumerate(HARD):
        Image.fromarray(mask // 255).save(tmp_path / f"{number}.webp", lossless=True)
    summaries = [summarise_file(path) for path in sorted(tmp_path.iterdir())]
    assert not any(mask.lossy for mask in summaries)
    assert find_convention(summaries, MaskOptions())[0].values == (0, 1)


@pytest.mark.parametrize("smoothed", [2, 4])
def test_class_numbers_resized_with_smoothing_are_refused(smoothed: int) -> None:
    labels = [np.searchsorted([0, 85, 170, 255], mask).astype(np.uint8) for mask in ORGANS]
    masks = [_half(mask, Image.Resampling.BILINEAR) if n < smoothed else mask for n, mask in enumerate(labels)]
    with pytest.raises(InputError, match=r"rims of the numbers between .*--classes 0,1,2,3 if the rims are right"):
        find(masks)
    assert not any(summarise_mask(mask, P).stepped for mask in labels)


def test_a_nest_of_classes_is_not_smoothed_however_near_they_come() -> None:
    rings = [np.where(disc(48, 46 + n, 14), 2, np.where(disc(48, 48, 18), 1, 0)).astype(np.uint8) for n in range(4)]
    layers = np.repeat(np.array([0, 1, 2, 3, 4, 0], np.uint8), [30, 9, 3, 2, 12, 40])[:, None] * np.ones(96, np.uint8)
    assert not any(summarise_mask(mask, P).stepped for mask in (*rings, layers))


@pytest.mark.parametrize(
    "others",
    [
        [as_jpeg(mask, 80) for mask in HARD[:2]],
        [_blur(mask, 1) for mask in HARD[:2]],
        [np.float32(_blur(mask, 1)) for mask in HARD[:2]],
    ],
    ids=["JPEG", "soft", "soft floats"],
)
def test_masks_that_a_cut_would_empty_are_refused(others: list[Array]) -> None:
    for faint in (HARD[2] // 255, np.float32(_blur(HARD[2], 1) / 255)):
        with pytest.raises(InputError, match=r"marks with 1 while other masks go up to 25.*would leave nothing of it"):
            find([*others, faint])


def test_a_doubtful_object_is_left_out_by_the_cut() -> None:
    rows, columns = np.indices((SIDE, SIDE))
    faint = 0.3 * np.exp(-((rows - 48) ** 2 + (columns - 48) ** 2) / 200)
    masks = [np.float32(_blur(mask, 1) / 255) for mask in HARD]
    convention, _ = find([*masks, faint.astype(np.float32), np.zeros((SIDE, SIDE), np.float32)])
    assert convention.threshold == pytest.approx(0.5, abs=0.01)


def test_values_below_zero_come_first() -> None:
    shares = [np.float32(_blur(mask, 1) / 255) for mask in HARD]
    unknown = [np.where(np.arange(SIDE)[:, None] < 5, np.float32(-1), mask) for mask in shares]
    with pytest.raises(InputError, match=r"holds the value -1, and no class can have one below 0: .*--ignore-value=-1"):
        find(unknown)
    convention, _ = find(unknown, ignore_value=-1)
    assert (convention.decode(unknown[0], P)[:5] == 255).all() and convention.threshold == pytest.approx(0.5, abs=0.01)
    with pytest.raises(InputError, match=r"values below 0 .*--mask-threshold 0 "):
        find([10 * mask - 5 for mask in shares])


def test_advice_for_shares_keeps_their_foreground() -> None:
    vessels = np.zeros((SIDE, SIDE), np.uint8)
    vessels[10::12] = 255
    shares = _blur(vessels, 1).astype(np.float32)
    with pytest.raises(InputError, match=r"--mask-threshold 0\.5,"):
        find([shares / shares.max()] * 3)
    levels = [np.float32((mask > 0) * 0.5 + (np.roll(mask, 5, 0) > 0) * 0.5) for mask in HARD]
    with pytest.raises(InputError, match=r"levels .*0, 0\.5, 1\).*--mask-threshold 0\.5"):
        find(levels)


@pytest.mark.parametrize("colour", [(0, 128, 0), (128, 0, 0), (230, 0, 0), (200, 30, 30), (255, 0, 0)])
def test_one_colour_of_any_brightness_is_cut_half_way(colour: tuple[int, int, int]) -> None:
    flat = [_coloured(blob(n).astype(np.uint8), colour) for n in range(4)]
    soft = [(_half(mask, Image.Resampling.BILINEAR)[..., None] / 255 * colour).astype(np.uint8) for mask in HARD]
    for masks, name in (([as_jpeg(mask, 90) for mask in flat], "m.jpg"), (soft, "m.png")):
        convention, _ = find(masks, name)
        assert convention.threshold == pytest.approx(max(colour) / 2, abs=8)
        assert (convention.decode(masks[1], P) == blob(1)).mean() > 0.96


def test_two_shades_of_a_colour_are_not_one() -> None:
    flat = [
        _coloured(np.searchsorted([0, 85, 170], np.minimum(mask, 170)), (0, 100, 0), (0, 160, 0)) for mask in ORGANS
    ]
    with pytest.raises(InputError, match="soft edges are no classes"):
        find([as_jpeg(mask, 90) for mask in flat], "m.jpg")


def test_numbered_objects_in_a_jpeg_are_cut_first() -> None:
    convention, _ = find([as_jpeg(mask, 80) for mask in HARD], "m.jpg", instances=True)
    assert (convention.kind, convention.threshold) == ("instances", 128)


def _shares(sharpness: float, kind: type = np.float32) -> list[Array]:
    """Probabilities of a network, with noise."""
    rng = np.random.default_rng(0)
    logits = [sharpness * (2.0 * (mask > 0) - 1) + rng.normal(0, 1, mask.shape) for mask in HARD]
    return [(1 / (1 + np.exp(-one))).astype(kind) for one in logits]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_probabilities_are_cut_at_a_half_with_a_note(kind: type, tmp_path: Path) -> None:
    summaries = []
    for number, mask in enumerate(_shares(6, kind)):
        tifffile.imwrite(tmp_path / f"{number}.tif", mask)
        summaries.append(summarise_file(tmp_path / f"{number}.tif"))
    convention, notes = find_convention(summaries, MaskOptions())
    assert convention.threshold == 0.5 and "foreground is taken from 0.5 on" in notes[0]
    for number, mask in enumerate(HARD):
        assert np.array_equal(convention.read(tmp_path / f"{number}.tif"), mask > 0)


def test_doubtful_probabilities_and_logits_are_refused_with_a_cut() -> None:
    with pytest.raises(InputError, match=r"--mask-threshold 0\.5, and all from there on is one foreground"):
        find(_shares(1))
    with pytest.raises(InputError, match="--mask-threshold 0 if what is above 0 is foreground, as of logits"):
        find([np.float32(np.where(mask > 0, 4.5, -5.5)) + 0.1 * np.float32(n) for n, mask in enumerate(HARD)])


def test_a_cut_above_zero_leaves_the_background_out() -> None:
    with pytest.raises(InputError, match=r"set --mask-threshold 1 if what is above 0 is foreground"):
        find([np.where(disc(9, 9, 5), -2, np.where(disc(30, 30, 9), -1, blob(n))).astype(np.int16) for n in range(3)])


def test_overshooting_edges_are_no_logits() -> None:
    large = [
        Image.fromarray((mask / 255).astype(np.float32)).resize((192, 192), Image.Resampling.LANCZOS) for mask in HARD
    ]
    with pytest.raises(InputError, match=r"overshoots: set --mask-threshold 0\.5 if all from half .* or --mask-thresh"):
        find([np.asarray(one) for one in large])


def test_a_map_of_distances_is_refused_with_both_cuts() -> None:
    with pytest.raises(InputError, match=r"--mask-threshold \d+, .*, or --mask-threshold 1 if all but 0 is"):
        find([np.round(ndimage.distance_transform_edt(mask > 0)).astype(np.uint8) for mask in HARD])
