"""Put a trained and judged run into the zoo: weights as float16, card, and the card as a page of docs/.

The run must have been judged on its test images, plain and with flips.

python tools/pack_zoo.py RUN NAME --finds "cell nuclei in ..." --data "..." --terms "..." --training "..." \
    --fails "..." --fails "..."
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import amsunet.zoo
from amsunet.evaluation.evaluate import evaluate
from amsunet.files import write_text
from amsunet.inference.description import FILE_NAME
from amsunet.inference.model_file import load_model, save_model
from amsunet.training.run import read_run
from amsunet.zoo import Card, Score

MAY_LOSE = 0.0005
"""Mean validation Dice."""
PAGES = Path(__file__).parents[1] / "docs" / "zoo"


def score(summary: dict) -> Score:
    dice = summary["mean_over_classes"]["dice"]
    return Score(images=dice["count"], dice=dice["mean"], low=dice["low"], high=dice["high"])


def validate(run: Path) -> Score:
    return score(evaluate(run, split="val").summary())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    for text in ("finds", "data", "terms", "training"):
        parser.add_argument(f"--{text}", required=True)
    parser.add_argument("--fails", action="append", required=True)
    asked = parser.parse_args()
    judged = {
        split: score(json.loads((asked.run / "evaluation" / split / "summary.json").read_text(encoding="utf-8")))
        for split in ("test", "test_flips")
    }
    full = validate(asked.run)
    network, description = load_model(asked.run / FILE_NAME)
    save_model(asked.run / FILE_NAME, network, description, half=True)
    try:
        half = validate(asked.run)
        packed = (asked.run / FILE_NAME).read_bytes()
    finally:
        save_model(asked.run / FILE_NAME, network, description)
    print(f"validation Dice: float32 {full.dice:.5f}, float16 {half.dice:.5f}")
    if full.dice - half.dice > MAY_LOSE:
        raise SystemExit(f"float16 loses more than {MAY_LOSE}")
    card = Card(
        name=asked.name,
        finds=asked.finds,
        data=asked.data,
        terms=asked.terms,
        training=asked.training,
        validation=full,
        test=judged["test"],
        test_with_flips=judged["test_flips"],
        fails=tuple(asked.fails),
        seen=tuple(sorted(read_run(asked.run)[1].seen())),
    )
    card.weights.write_bytes(packed)
    write_text(amsunet.zoo.FOLDER / f"{card.name}.json", card.model_dump_json(indent=1) + "\n")
    write_text(PAGES / f"{card.name}.md", f"{card}\n")


if __name__ == "__main__":
    main()
