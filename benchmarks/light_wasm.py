"""The networks of the light study in a browser (docs/light.md): seconds for an image of 256 x 256 in the page's engine.

From the bytes of the image to its mask, in Chromium, on one thread of WebAssembly. The networks take turns, each is
opened anew and warmed up, and the least of some rounds counts; ratios are to U-Net at 32 base channels. Run it where
nothing else runs. Needs what benchmarks/page.py needs.

    python benchmarks/light_wasm.py [--networks ...] [--rounds 5] [--out results/light/wasm.json]
"""

from __future__ import annotations

import argparse
import base64
import math
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from light_gate import SIDE, UNIT
from light_networks import CHANGED, NAMES, same_network, variant
from page import OPEN, PREDICT, image, served, write_other
from playwright.sync_api import Page, sync_playwright

from amsunet.atomic_io import write_json
from amsunet.deployment.page_files import page_files
from amsunet.device import choose_device, environment
from amsunet.models.cost import count_macs
from amsunet.models.registry import create_model
from amsunet.serving.page_server import PageServer

RESULT = Path(__file__).parents[1] / "results" / "light" / "wasm.json"


def measure(page: Page, names: Sequence[str], rounds: int) -> dict[str, float]:
    """Seconds of each network in a page that is open."""
    content = base64.b64encode(image(SIDE, SIDE)).decode()
    entries = page.evaluate("() => fetch('/networks.json').then((answer) => answer.json())")
    least = dict.fromkeys(names, math.inf)
    for _ in range(rounds):
        for entry in entries:
            chosen = variant(entry["name"])
            network = create_model(chosen.model, num_classes=2, **chosen.options)
            entry["work"] = entry["work"] or count_macs(network, SIDE, SIDE) / SIDE**2
            page.evaluate(OPEN, [entry, 1])
            page.evaluate(PREDICT, content)  # to warm up
            taken = [page.evaluate(PREDICT, content)["seconds"] for _ in range(2)]
            least[entry["name"]] = min(least[entry["name"]], *taken)
    return least


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [name for name in NAMES if same_network(name) == name and name not in CHANGED]
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=every)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args(arguments)
    names = list(dict.fromkeys([*asked.networks, UNIT]))
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        made = [(name, variant(name)) for name in names]
        inside = [write_other(name, Path(temporary), chosen.model, chosen.options) for name, chosen in made]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with served(PageServer(page_files(inside, level=1))) as address:
            page = browser.new_page()
            page.goto(f"{address}empty")
            seconds = measure(page, names, asked.rounds)
        version = browser.version
        browser.close()
    given = " ".join(["benchmarks/light_wasm.py", *(sys.argv[1:] if arguments is None else arguments)])
    rows: list[dict[str, Any]] = [
        {"network": name, "seconds": seconds[name], "ratio": seconds[name] / seconds[UNIT]} for name in names
    ]
    write_json(
        asked.out,
        {
            "what": f"least seconds from the bytes of an image of {SIDE} x {SIDE} to its mask, one thread of "
            f"WebAssembly, with ratios to {UNIT}",
            "command": f"python {given}",
            "rounds": asked.rounds,
            "browser": f"Chromium {version}",
            "rows": rows,
            "environment": environment(choose_device("cpu")),
        },
    )
    for row in rows:
        print(f"{row['network']}: {row['seconds']:.3f} s, {row['ratio']:.2f}")


if __name__ == "__main__":
    main()
