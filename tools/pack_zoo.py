"""Put a trained and evaluated run into the zoo: weights as float16, card, and the card as a page of docs/.

The run must have been evaluated on its test images, plain and with flips.

python tools/pack_zoo.py RUN NAME --finds "cell nuclei in ..." --data "..." --terms "..." --research-only \
    --training "..." --fails "..." --fails "..." [--on-page | --start] [--pictures 3]

Pictures are the worst test images, with truth and prediction: only of data that may be published. Afterwards
`python tools/export_zoo_onnx.py NAME` writes the same network for the page, and for where there is no torch.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
from pathlib import Path

from PIL import Image

import amsunet.zoo
from amsunet.atomic_io import atomic_write, write_text
from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.preprocessing import Preprocessing
from amsunet.evaluation.evaluate import evaluate
from amsunet.evaluation.plots import case_panels, stack
from amsunet.inference.model_file import load_model, save_model
from amsunet.inference.model_metadata import ModelDescription
from amsunet.inference.model_ref import FILE_NAME
from amsunet.inference.predictor import Predictor
from amsunet.training.run_folder import read_run
from amsunet.zoo import Card, Score

MAY_LOSE = 0.0005
"""Mean validation Dice."""
PAGES = Path(__file__).parents[1] / "docs" / "zoo"
NO_PICTURE = (
    "\nNo pictures: these images may not be published here. With your copy of the data `amsunet evaluate {name} DATA` "
    "draws the worst cases into its report.\n"
)


def score(summary: dict) -> Score:
    dice = summary["mean_over_classes"]["dice"]
    return Score(images=dice["count"], dice=dice["mean"], low=dice["low"], high=dice["high"])


def validate(run: Path) -> Score:
    return score(evaluate(run, split="val").summary())


def halve(run: Path) -> tuple[Score, Score, bytes]:
    """Validation scores as float32 and float16, and the file of the latter; the run itself stays as it is."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(run, Path(temporary) / "run", ignore=shutil.ignore_patterns("*.ckpt")))
        full = validate(copy)
        save_model(copy / FILE_NAME, *load_model(copy / FILE_NAME), half=True)
        return full, validate(copy), (copy / FILE_NAME).read_bytes()


def scaling(seen: Preprocessing) -> str:
    """How an image comes to working size, in words."""
    if seen.image_scale == "size" and seen.typical_size is not None:
        height, width = seen.typical_size
        return f"brought to the training's size ({width} x {height} pixels, by area), then scaled by {seen.scale:g}"
    ends = [f"{width:,} x {height:,}" for height, width in seen.size_range or ()]
    trained = f", whatever its size (trained on {' to '.join(dict.fromkeys(ends))} pixels)" if ends else ""
    return f"scaled by {seen.scale:g}{trained}"


def way(known: ModelDescription) -> str:
    """From image to mask, in words."""
    seen, found = known.preprocessing, known.convention
    colours = "Grey" if seen.in_channels == 1 else "Colour"
    text = f"{colours} images; normalization `{seen.normalization}` (docs/recipe.md); "
    text += f"{scaling(seen)}; standardised as the training images were. "
    text += f"Classes: {', '.join(found.class_names)}"
    if len(found.class_names) == 2:
        text += f"; {found.class_names[1]} where its probability is above {known.threshold:g}"
    if known.smallest_object:
        text += f"; objects and holes of fewer than {known.smallest_object:,.0f} pixels are left out"
    return f"{text}."


def worst_cases(run: Path, count: int) -> Image.Image:
    """The test images of the lowest Dice, the worst first: image, truth and prediction side by side."""
    config, record = read_run(run)
    dice: dict[str, list[float]] = {}
    with (run / "evaluation" / "test" / "images.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            dice.setdefault(row["image"], []).append(float(row["dice"]))
    worst = sorted(dice, key=lambda name: sum(dice[name]) / len(dice[name]))[:count]
    dataset = open_dataset(locate(record.source), record.data_options, convention=config.convention)
    samples, predictor = {sample.name: sample for sample in dataset.samples}, Predictor(run)
    rows = []
    for name in worst:
        image, labels = dataset.read(samples[name])
        rows.append(case_panels(image, labels, predictor.predict(image).mask))
    return stack(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    for text in ("finds", "data", "terms", "training"):
        parser.add_argument(f"--{text}", required=True)
    parser.add_argument("--research-only", action=argparse.BooleanOptionalAction, required=True)
    parser.add_argument("--on-page", action="store_true", help="the page offers it where no network is named")
    parser.add_argument("--start", action="store_true", help="trainings start from it unasked: keep thumbnails")
    parser.add_argument("--fails", action="append", required=True)
    parser.add_argument("--pictures", type=int, default=0)
    asked = parser.parse_args()
    evaluated = {
        split: score(json.loads((asked.run / "evaluation" / split / "summary.json").read_text(encoding="utf-8")))
        for split in ("test", "test_flips")
    }
    _, record = read_run(asked.run)
    full, half, packed = halve(asked.run)
    print(f"validation Dice: float32 {full.dice:.5f}, float16 {half.dice:.5f}")
    if full.dice - half.dice > MAY_LOSE:
        raise SystemExit(f"float16 loses more than {MAY_LOSE}")
    card = Card(
        name=asked.name,
        finds=asked.finds,
        way=way(load_model(asked.run / FILE_NAME)[1]),
        data=asked.data,
        terms=asked.terms,
        on_page=asked.on_page,
        research_only=asked.research_only,
        training=asked.training,
        validation=full,
        test=evaluated["test"],
        test_with_flips=evaluated["test_flips"],
        fails=tuple(asked.fails),
        seen=tuple(sorted(record.seen())),
        thumbnails=tuple(record.thumbnails.values()) if asked.start else (),
    )
    page = f"{card}\n"
    if asked.pictures:
        with atomic_write(PAGES / f"{card.name}.jpg") as temporary:
            worst_cases(asked.run, asked.pictures).save(temporary, "JPEG", quality=80)
        page += (
            f"\n![The worst test images: image, truth, prediction; green is right, blue was missed, orange is too "
            f"much]({card.name}.jpg)\n"
        )
    else:
        page += NO_PICTURE.format(name=card.name)
    with atomic_write(card.weights) as temporary:
        temporary.write_bytes(packed)
    write_text(amsunet.zoo.FOLDER / f"{card.name}.json", card.model_dump_json(indent=1) + "\n")
    write_text(PAGES / f"{card.name}.md", page)


if __name__ == "__main__":
    main()
