"""Write the ONNX form of the networks of the zoo, by which they predict without torch, and in the page.

Weights are kept in 16 bits and computed with in 32: half the size, probabilities that differ by less than a thousandth.

python tools/export_zoo_onnx.py [NAME ...]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from amsunet.atomic_io import atomic_write
from amsunet.deployment.exporters import ExportModule, write_network
from amsunet.inference.model_file import for_inference, load_model
from amsunet.zoo import read_card, zoo_names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=zoo_names())
    for name in parser.parse_args().names:
        card = read_card(name)
        network, description = load_model(card.weights)
        seen = description.preprocessing
        whole = ExportModule(for_inference(network, description.temperature), seen.mean, seen.std)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            write_network(whole, path, "onnx", "float16", description=description.model_dump_json())
            with atomic_write(card.onnx) as temporary:
                temporary.write_bytes(path.read_bytes())
        print(f"{card.onnx.name}: {card.onnx.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
