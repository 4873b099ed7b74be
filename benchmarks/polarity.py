"""How often an image is inverted that should not be, or is not that should be, and what that costs in Dice: by the mean
of the image alone, as until now, and by the rule of ``amsunet.data.polarity`` with the network asked where in doubt.

Images are those that the network has not been trained on, as they are and changed: darkened, brightened, their densest
part, in a black frame, in colours of a microscope. Tissue of GlaS has no nuclei marked, but must be inverted all the
same.

    python benchmarks/polarity.py DSB2018 GlaS --splits results/dsb2018_gpu_14min_seed0/splits.json
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from amsunet.atomic_io import write_json
from amsunet.data.dataset import open_dataset
from amsunet.data.images import Array, read_image
from amsunet.data.normalization import IntensityRange
from amsunet.data.out_of_distribution import take_figures
from amsunet.data.preprocessing import channels_first
from amsunet.device import choose_device, environment
from amsunet.errors import InputError
from amsunet.inference.predictor import Predictor, load
from amsunet.inference.prepared_image import Prepared
from amsunet.inference.runtime_options import RuntimeOptions

RESULT = Path(__file__).parents[1] / "results" / "polarity.json"
WHAT = (
    "images whose objects are taken for ground: by the mean of the image (before) and by colour, brightness and, in "
    "doubt, the Dice that the network expects of either way round (after); Dice where nuclei are marked"
)
COMMAND = (
    "python benchmarks/polarity.py DSB2018 GlaS --splits results/dsb2018_gpu_14min_seed0/splits.json --every {every}"
)
Change = Callable[[Array], Array]


def gamma(power: float) -> Change:
    return lambda image: (255 * (image / 255.0) ** power).round().astype(np.uint8)


def densest(side: int, sign: int) -> Change:
    """The square that is darkest (1) or brightest (-1) in the mean."""

    def cut(image: Array) -> Array:
        height, width = (min(side, one) for one in image.shape[:2])
        steps = [
            range(0, whole - part + 1, max(1, part // 4))
            for whole, part in zip(image.shape, (height, width), strict=False)
        ]
        grey = image[..., :3].mean(axis=2)
        places = [(y, x) for y in steps[0] for x in steps[1]]
        y, x = min(
            places, key=lambda place: sign * grey[place[0] : place[0] + height, place[1] : place[1] + width].mean()
        )
        return image[y : y + height, x : x + width]

    return cut


def stretched(image: Array) -> Array:
    low, high = np.percentile(image, (0.1, 99.9))
    return (255 * np.clip((image - low) / max(high - low, 1), 0, 1)).astype(np.uint8)


def framed(image: Array) -> Array:
    return np.where(np.arange(image.shape[1])[:, None] < 0.35 * image.shape[1], np.uint8(0), image)


def false_colours(image: Array) -> Array:
    return stretched(image) * np.array([0, 0, 1], np.uint8)


def after(*changes: Change) -> Change:
    def change(image: Array) -> Array:
        for one in changes:
            image = one(image)
        return image

    return change


STAINED: dict[str, Change] = {
    "as they are": lambda image: image,
    "darkened (gamma 2)": gamma(2),
    "much darkened (gamma 3)": gamma(3),
    "half the light": lambda image: image // 2,
    "brightened (gamma 0.6)": gamma(0.6),
    "in a black frame": framed,
    "densest 128 x 128": densest(128, 1),
    "densest 128 x 128, darkened": after(densest(128, 1), gamma(2)),
    "densest 64 x 64": densest(64, 1),
}
SHOWN = ("as they are", "darkened (gamma 2)", "much darkened (gamma 3)", "brightened (gamma 0.6)")
"""Changes that keep every pixel in its place, so that Dice can be taken."""
FLUORESCENT: dict[str, Change] = {
    "as they are": lambda image: image,
    "brightened (gamma 0.5)": after(stretched, gamma(0.5)),
    "much brightened (gamma 0.3)": after(stretched, gamma(0.3)),
    "densest 128 x 128, brightened": after(stretched, densest(128, -1), gamma(0.5)),
    "densest 64 x 64": densest(64, -1),
    "in blue": false_colours,
    "in blue, densest 128 x 128, brightened": after(stretched, densest(128, -1), gamma(0.5), false_colours),
}
GREY_TISSUE: dict[str, Change] = {
    "as they are": lambda image: image,
    "darkened (gamma 2)": gamma(2),
    "densest 128 x 128": densest(128, 1),
    "densest 64 x 64": densest(64, 1),
}


@dataclass
class Count:
    """Of some images, changed in one way."""

    images: int = 0
    before: int = 0
    after: int = 0
    in_doubt: int = 0
    dice_before: list[float] = field(default_factory=list)
    dice_after: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        found = {
            "images": self.images,
            "wrong_before": self.before,
            "wrong_after": self.after,
            "in_doubt": self.in_doubt,
        }
        if self.dice_before:
            found |= {"dice_before": float(np.mean(self.dice_before)), "dice_after": float(np.mean(self.dice_after))}
        return found


class Rules:
    """Both rules on one image."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        ((self._key, self._kind),) = predictor.networks.preprocessings.items()
        self.by_measure = dict.fromkeys(("the mean", "appearance", "expected Dice alone", "the image alone", "both"), 0)
        self.doubtful = 0

    def add(self, count: Count, image: Array, dark: bool, truth: Array | None = None) -> None:
        found = self._kind.find_range(image)
        view = lambda one: self._kind.resize(self._kind.normalize(image, one))  # noqa: E731
        chosen = self._predictor.networks.choose_range(self._key, found, view)
        inverted = bright_in_the_mean(image)
        count.images += 1
        count.before += inverted != dark
        count.after += (chosen.low > chosen.high) != dark
        count.in_doubt += found.other is not None
        if found.other is not None:
            self._compare(found, chosen, view, dark, inverted)
        if truth is not None:
            dice = self._dice(view(chosen), truth)
            count.dice_after.append(dice)
            before = IntensityRange(chosen.low, chosen.high, chosen.gamma)
            if (chosen.low > chosen.high) != inverted:
                before = old_range(image, inverted)
                dice = self._dice(view(before), truth)
            count.dice_before.append(dice)

    def _compare(
        self,
        first: IntensityRange,
        chosen: IntensityRange,
        view: Callable[[IntensityRange], Array],
        dark: bool,
        inverted: bool,
    ) -> None:
        """Count what each measure alone would have got wrong."""
        assert first.other is not None
        ways = (first, first.other)
        near = min(ways, key=lambda one: self._distance(view(one)))
        sure = min(ways, key=lambda one: self._segment(view(one)).uncertainty)
        self.doubtful += 1
        told = {"the mean": inverted, "appearance": near.low > near.high, "expected Dice alone": sure.low > sure.high,
                "the image alone": first.low > first.high, "both": chosen.low > chosen.high}  # fmt: skip
        for measure, answer in told.items():
            self.by_measure[measure] += answer != dark

    def _distance(self, view: Array) -> float:
        """From the nearest training image, in what images look like."""
        known = self._predictor.description.image_statistics
        assert known is not None
        differences = (np.asarray(known.images) - take_figures(view)) / np.asarray(known.spread)
        return float((differences**2).mean(axis=1).min())

    def _segment(self, view: Array) -> Any:
        known = self._predictor.description
        smallest = known.smallest_object * known.preprocessing.scale**2  # in pixels of the view
        prepared = Prepared("", view.shape[:2], {self._key: channels_first(view)}, "", smallest)
        return self._predictor.compute([prepared])[0].finish()

    def _dice(self, view: Array, truth: Array) -> float:
        mask = self._segment(view).mask > 0
        total = mask.sum() + truth.sum()
        return float(2 * (mask & truth).sum() / total) if total else 1.0


def bright_in_the_mean(image: Array) -> bool:
    """The rule until now."""
    found = old_range(image, inverted=None)
    return found.low > found.high


def old_range(image: Array, inverted: bool | None) -> IntensityRange:
    step = max(1, int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / 1e6))))
    sampled = image[::step, ::step]
    low, high = (float(value) for value in np.percentile(sampled, (0.5, 99.5)))
    mean = float(np.clip((sampled - low) / max(high - low, 1e-6), 0, 1).mean())
    if mean > 0.5 if inverted is None else inverted:
        low, high, mean = high, low, 1 - mean
    return IntensityRange(low, high, max(0.4, np.log(0.3) / np.log(mean)) if 0 < mean < 0.3 else 1.0)


def measure(images: list[tuple[Array, Array | None]], changes: dict[str, Change], dark: bool, rules: Rules) -> Any:
    found = {}
    for name, change in changes.items():
        count = Count()
        for image, truth in images:
            rules.add(count, change(image), dark, truth if name in SHOWN else None)
        found[name] = count.summary()
        print(f"{'inverted' if dark else 'upright':<10}{name:<42}{found[name]}", flush=True)
    return found


def read_all(source: str, split: dict[str, str] | None, part: str) -> Iterator[tuple[Array, Array | None, bool]]:
    """Images of a part, their nuclei, and whether those are darker than the rest."""
    dataset = open_dataset(source)
    for sample in dataset.samples:
        if split is None or split.get(sample.name) == part:
            image, labels = dataset.read(sample)
            truth = labels > 0
            grey = image.mean(axis=2)
            dark = truth.any() and not truth.all() and grey[truth].mean() < grey[~truth].mean()
            yield image, truth, bool(dark)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nuclei", help="the data of the network nuclei")
    parser.add_argument("tissue", help="stained tissue, of anything")
    parser.add_argument("--splits", type=Path, required=True, help="of the run whose network ships")
    parser.add_argument("--every", type=int, default=3, help="of fluorescence and of tissue, one image in so many")
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    try:
        predictor = load("nuclei", RuntimeOptions(device="cpu", precision="float32"))
        split = json.loads(asked.splits.read_text(encoding="utf-8"))
        parts = {part: list(read_all(asked.nuclei, split, part)) for part in ("val", "test")}
        tissue = [(read_image(sample.image)[:384, :384], None) for sample in open_dataset(asked.tissue).samples][
            :: asked.every
        ]
    except InputError as error:
        sys.exit(f"error: {error}")
    rules = Rules(predictor)

    def some(part: str, wanted: Callable[[Array, bool], bool]) -> list[tuple[Array, Array | None]]:
        return [(image, truth) for image, truth, dark in parts[part] if wanted(image, dark)]

    shown = {name: STAINED[name] for name in SHOWN}
    groups = {
        "stained, validation": measure(some("val", lambda i, dark: i.shape[2] == 3), STAINED, True, rules),
        "tissue of GlaS": measure(tissue, STAINED, True, rules),
        "grey, dark nuclei on bright, validation": measure(
            some("val", lambda i, dark: i.shape[2] == 1 and dark), GREY_TISSUE, True, rules
        ),
        "fluorescence, validation": measure(
            some("val", lambda i, dark: i.shape[2] == 1 and not dark)[:: asked.every], FLUORESCENT, False, rules
        ),
    }
    doubt = {"images": rules.doubtful, "wrong_by": dict(rules.by_measure)}
    print(doubt)
    groups["stained, test"] = measure(some("test", lambda i, dark: i.shape[2] == 3), shown, True, rules)
    changed = 0
    for part in ("train", "val", "test"):
        for image, _, _ in parts.get(part) or read_all(asked.nuclei, split, part):
            found = predictor.networks.preprocessings[next(iter(predictor.networks.preprocessings))].find_range(image)
            changed += (found.low > found.high) != bright_in_the_mean(image)
    write_json(
        asked.out,
        {
            "what": WHAT,
            "command": COMMAND.format(every=asked.every),
            "commit": subprocess.run(
                ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
            ).stdout.strip(),
            "environment": environment(replace(choose_device("cpu"), precision="float32")),
            "network": "nuclei",
            "split": "validation and test images of the run whose network ships; of GlaS, 384 x 384 of any",
            "one_in": asked.every,
            "images_of_the_data_that_change": {"images": len(split), "changed": changed},
            "groups": groups,
            "in_doubt": doubt,
        },
    )


if __name__ == "__main__":
    main()
