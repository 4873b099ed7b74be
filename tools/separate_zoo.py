"""Store in a network of the zoo how deep a waist must be where objects that touch are parted, as it was chosen on
validation images by benchmarks/objects.py.

Weights and masks stay as they are; the description in both forms of the network changes.

python tools/separate_zoo.py nuclei results/objects_dsb2018.json
python tools/export_zoo_onnx.py nuclei
"""

from __future__ import annotations

import argparse
from pathlib import Path

from amsunet.inference.model_file import load_model, save_model
from amsunet.text_files import read_json
from amsunet.zoo import read_card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("result", type=Path)
    asked = parser.parse_args()
    card, chosen = read_card(asked.name), read_json(asked.result)
    if chosen["network"] != card.name:
        raise SystemExit(f"{asked.result} is of the network {chosen['network']}, not of {card.name}")
    network, known = load_model(card.weights)
    separation = chosen["validation"]["separation"] / known.preprocessing.scale
    save_model(card.weights, network, known.model_copy(update={"separation": separation}), half=True)
    print(f"{card.name}: objects are parted at waists {separation:g} px deep")


if __name__ == "__main__":
    main()
