"""Whether images show a whole view, on data sets that do and on data sets that do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.fingerprint import Fingerprint, take_fingerprint
from amsunet.data.framing import Framing, measure_geometry
from amsunet.data.images import Array
from amsunet.data.options import DataOptions

Pair = tuple[Array, Array]
SIZES = ((60, 60), (90, 90), (60, 90), (150, 150), (120, 90), (200, 160))


def _disc(height: int, width: int, row: float, column: float, radius: float) -> Array:
    rows, columns = np.ogrid[:height, :width]
    return (rows - row) ** 2 + (columns - column) ** 2 < radius**2


def _picture(rng: np.random.Generator, mask: Array) -> Pair:
    image = rng.normal(60, 8, mask.shape) + 110 * mask
    return np.clip(image, 0, 255).astype(np.uint8), 255 * mask.astype(np.uint8)


def _tissue(rng: np.random.Generator, number: int, sizes: tuple[tuple[int, int], ...] = ((90, 110),)) -> Pair:
    """Cells of one size anywhere, some of them cut by the border."""
    height, width = sizes[number % len(sizes)]
    mask = np.zeros((height, width), bool)
    for _ in range(height * width // 400):
        mask |= _disc(height, width, rng.uniform(0, height), rng.uniform(0, width), 5)
    return _picture(rng, mask)


def _lesion(rng: np.random.Generator, number: int, sizes: tuple[tuple[int, int], ...] = ((90, 110),)) -> Pair:
    """One object that fills much of the image, whatever its size."""
    height, width = sizes[number % len(sizes)]
    side = min(height, width)
    place = (rng.uniform(0.4, 0.6) * height, rng.uniform(0.4, 0.6) * width, rng.uniform(0.22, 0.34) * side)
    return _picture(rng, _disc(height, width, *place))


def _fundus(rng: np.random.Generator, number: int) -> Pair:
    """Spots anywhere in a round field of view on black."""
    field, mask = _disc(100, 100, 50, 50, 46), np.zeros((100, 100), bool)
    for _ in range(12):
        mask |= _disc(100, 100, *rng.uniform(25, 75, 2), 2)
    image, mask_image = _picture(rng, mask)
    return np.where(field, image, 0).astype(np.uint8), mask_image


def _in_place(rng: np.random.Generator, number: int) -> Pair:
    """A bright object of one size in pixels in the middle, in images of other sizes."""
    height, width = SIZES[number % len(SIZES)]
    return _picture(rng, _disc(height, width, height / 2, width / 2, 28))


@pytest.fixture
def framing_of(tmp_path: Path, save: Callable[[Path, Array], Path]) -> Callable[..., Framing]:
    def take(make: Callable[..., Pair], count: int = 12, **settings: object) -> Framing:
        rng = np.random.default_rng(0)
        for number in range(count):
            image, mask = make(rng, number, **settings)
            save(tmp_path / "images" / f"{number:02}.png", image)
            save(tmp_path / "masks" / f"{number:02}.png", mask)
        return _framing(tmp_path)

    return take


def _framing(source: str | Path) -> Framing:
    dataset = open_dataset(locate(source), DataOptions(skip_broken=True))
    framing = take_fingerprint(dataset, {sample.name for sample in dataset.samples}).framing
    assert framing is not None
    return framing


@pytest.mark.parametrize(
    ("make", "settings", "decided", "sure"),
    [
        (_lesion, {}, "size", True),
        (_lesion, {"sizes": SIZES}, "size", True),
        (_fundus, {}, "size", True),
        (_tissue, {}, "factor", True),
        (_tissue, {"sizes": SIZES}, "factor", True),
        (_in_place, {}, "factor", False),
    ],
    ids=["lesions", "lesions of several cameras", "spots in a fundus", "tissue", "crops of several sizes", "in doubt"],
)
def test_what_another_size_means(
    framing_of: Callable[..., Framing], make: Callable[..., Pair], settings: dict[str, object], decided: str, sure: bool
) -> None:
    framing = framing_of(make, **settings)
    assert (framing.decide()[0], framing.decide()[2]) == (decided, sure), framing


def test_three_images_are_too_few_for_a_decision(framing_of: Callable[..., Framing]) -> None:
    framing = framing_of(_lesion, 3)
    assert (framing.framed, framing.decide()[0], framing.decide()[2]) == (None, "factor", False)


def test_sizes_are_kept_by_area(framing_of: Callable[..., Framing]) -> None:
    framing = framing_of(_tissue, 6, sizes=SIZES)
    assert (framing.smallest, framing.typical, framing.largest) == ((60, 60), (105, 90), (200, 160))
    assert framing.alike == pytest.approx(2 / 6), "90 x 90 and 120 x 90"


@pytest.mark.parametrize(
    ("rows", "columns", "whole", "cut"),
    [
        (slice(5, 30), slice(5, 20), True, False),
        (slice(0, 30), slice(5, 20), False, True),
        (slice(5, 20), slice(5, 20), False, False),
        (slice(5, 20), slice(2, 49), True, False),
        (slice(5, 20), slice(2, 50), False, True),
    ],
)
def test_an_object_is_whole_if_it_fills_much_and_nothing_cuts_it(
    rows: slice, columns: slice, whole: bool, cut: bool
) -> None:
    mask = np.zeros((40, 50), bool)
    mask[rows, columns] = True
    found = measure_geometry(mask, 7.0)
    assert (found.whole, found.cut, found.thickness) == (whole, cut, 7.0)
    assert found.side == pytest.approx(np.sqrt(2000))


@pytest.mark.parametrize(("source", "decided"), [("brain", "size"), ("nuclei", "factor"), ("DRIVE", "size")])
def test_real_data_leave_no_doubt(source: str, decided: str, shared: Callable[[str], Path]) -> None:
    framing = _framing(shared(source) / "training" if source == "DRIVE" else f"sample:{source}")
    assert (framing.decide()[0], framing.decide()[2]) == (decided, True), framing


def _figures(**changes: object) -> Framing:
    plain = {"smallest": (9, 9), "typical": (9, 9), "largest": (9, 9), "images": 9, "alike": 1.0}
    return Framing(**plain | {"alignment": 0.0, "whole": 0.0, "cut": 1.0, "growth": 0.0} | changes)


@pytest.mark.parametrize(
    ("changes", "framed"),
    [
        ({"alignment": 0.9, "cut": 1.0}, None),
        ({"alignment": 0.3}, None),
        ({"alignment": 0.3, "whole": 0.5}, True),
        ({"whole": 0.8}, True),
        ({"alignment": 0.9, "cut": 0.1}, True),
        ({}, False),
    ],
    ids=["a film of one field", "in place", "in place and whole", "whole", "in place and not cut", "neither"],
)
def test_what_counts_as_a_whole_view(changes: dict[str, object], framed: bool | None) -> None:
    assert _figures(**changes).framed is framed


def test_what_earlier_versions_called_frame_is_read(make_dataset: Callable[..., Path]) -> None:
    dataset = open_dataset(make_dataset(6))
    fingerprint = take_fingerprint(dataset, {sample.name for sample in dataset.samples})
    written = json.loads(fingerprint.model_dump_json())
    assert fingerprint.framing is not None and "frame" not in written
    former = {"frame" if name == "framing" else name: value for name, value in written.items()}
    assert Fingerprint.model_validate_json(json.dumps(former | {"figure_that_is_gone": 1})) == fingerprint
