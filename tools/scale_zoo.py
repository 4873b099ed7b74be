"""Decide anew how a network of the zoo brings images to working size, from the images that it was trained on.

Weights, and what becomes of images of the training's size, stay as they are; description, card and page change. What
the card tells besides may be edited in its JSON before.

python tools/scale_zoo.py NAME DATA
"""

from __future__ import annotations

import argparse

from pack_zoo import PAGES, way

import amsunet.zoo
from amsunet.atomic_io import write_text
from amsunet.data.builtin_samples import locate
from amsunet.data.dataset import open_dataset
from amsunet.data.fingerprint import take_fingerprint
from amsunet.data.options import DataOptions
from amsunet.inference.model_file import load_model, save_model

AFTER_THE_CARD = ("\nNo pictures: ", "\n![The worst test images")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("data")
    asked = parser.parse_args()
    card = next(card for card in amsunet.zoo.list_zoo() if card.name == asked.name)
    network, known = load_model(card.weights)
    dataset = open_dataset(locate(asked.data), DataOptions(skip_broken=True), convention=known.convention)
    names = {name for name, checksum in dataset.checksums().items() if checksum in card.seen}
    if len(names) != len(card.seen):
        raise SystemExit(f"{asked.data} holds {len(names)} of the {len(card.seen)} images: name the training's data")
    framing = take_fingerprint(dataset, names).framing
    assert framing is not None
    image_scale, why, sure = framing.decide()
    print(f"{card.name}: {image_scale}, {why}{'' if sure else ' (in doubt)'}\n{framing!r}")
    decided = {
        "image_scale": image_scale,
        "typical_size": framing.typical,
        "size_range": (framing.smallest, framing.largest),
    }
    known = known.model_copy(update={"preprocessing": known.preprocessing.model_copy(update=decided)})
    card = card.model_copy(update={"way": way(known)})
    path = PAGES / f"{card.name}.md"
    page = path.read_text(encoding="utf-8")
    after = page[max(page.find(mark) for mark in AFTER_THE_CARD) :]
    save_model(card.weights, network, known, half=True)
    write_text(amsunet.zoo.FOLDER / f"{card.name}.json", card.model_dump_json(indent=1) + "\n")
    write_text(path, f"{card}\n{after}")


if __name__ == "__main__":
    main()
