"""Where OpenVINO's time goes: milliseconds of one 256 x 256 image by kind of layer, AMSUnet beside U-Net.

Both are exported and fused, and take turns. Needs amsunet[export].

    python benchmarks/layers.py [--precision float32|bfloat16] [--rounds 40] [--out results/layers.json]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from stopwatch import Job, run

from amsunet.atomic_io import write_json
from amsunet.device import choose_device, environment
from amsunet.optional import require

RESULT = Path(__file__).parents[1] / "results" / "layers.json"
NETWORKS = ("amsunet", "unet")
SIDE = 256
WARM_UP = 5


def kind_of(layer: str, primitive: str) -> str:
    """OpenVINO's own name of a layer's type and of the kernel that it took, as one of four kinds."""
    if layer == "GroupConvolution":
        return "depthwise"
    if layer == "Convolution":
        return "dense and depthwise in one" if "_dw_" in primitive else "dense"
    return "rest"


def compiled(network: str, precision: str, threads: int, folder: Path) -> Any:
    file = folder / f"{network}.xml"
    run(Job("write", network, "openvino", precision, SIDE, 1, "cpu", threads, 0, str(file)))
    core = require("openvino").Core()
    settings = {
        "PERF_COUNT": True,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
    }
    return core.compile_model(core.read_model(file), "CPU", settings).create_infer_request()


def milliseconds(request: Any, image: np.ndarray) -> Counter[str]:
    request.infer([image])
    found: Counter[str] = Counter()
    for layer in request.profiling_info:
        found[kind_of(layer.node_type, layer.exec_type)] += layer.real_time.total_seconds() * 1e3
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    machine = choose_device("cpu", asked.precision)
    image = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32) * np.float32(255)
    with tempfile.TemporaryDirectory() as temporary:
        requests = {name: compiled(name, asked.precision, machine.threads, Path(temporary)) for name in NETWORKS}
        rounds = [{name: milliseconds(requests[name], image) for name in NETWORKS} for _ in range(asked.rounds)]
    networks = {}
    for name in NETWORKS:
        measured = [one[name] for one in rounds[WARM_UP:]]
        kinds = sorted({kind for one in measured for kind in one})
        networks[name] = {kind: statistics.median(one[kind] for one in measured) for kind in kinds}
        print(name, {kind: round(value, 1) for kind, value in networks[name].items()})
    of_unet = sum(networks["unet"].values())
    shares = {kind: value / of_unet for kind, value in networks["amsunet"].items()}
    result = {
        "what": "medians of the milliseconds that OpenVINO's layers take for one image, by kind of layer",
        "command": f"python benchmarks/layers.py --precision {asked.precision} --rounds {asked.rounds}",
        "rounds": asked.rounds - WARM_UP,
        "milliseconds": networks,
        "amsunet_against_whole_unet": {**shares, "all": sum(shares.values())},
        "environment": environment(machine),
    }
    write_json(asked.out, result)


if __name__ == "__main__":
    main()
