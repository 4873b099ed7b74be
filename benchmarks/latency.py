"""Time of every network for one 256 x 256 image, as ratios to U-Net in the same run: plain torch on this machine.

Columns: contiguous float32, channels_last float32, channels_last in the best precision of this machine, and the last
with fused networks, as prediction runs them.

    python benchmarks/latency.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

RESULT = Path(__file__).parents[1] / "results" / "latency.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    import torch  # noqa: PLC0415

    from amsunet.inference.latency import measure_latency  # noqa: PLC0415
    from amsunet.inference.model_file import for_inference  # noqa: PLC0415
    from amsunet.machine import Machine, choose_machine, environment  # noqa: PLC0415
    from amsunet.memory import keep_freed_memory  # noqa: PLC0415
    from amsunet.models import create_model, list_models  # noqa: PLC0415

    keep_freed_memory()
    torch.manual_seed(0)
    best = choose_machine("cpu")
    float32 = Machine("cpu", "float32", best.threads)
    settings = {
        "float32": (float32, torch.contiguous_format, False),
        "float32_channels_last": (float32, torch.channels_last, False),
        f"{best.precision}_channels_last": (best, torch.channels_last, False),
        f"{best.precision}_channels_last_fused": (best, torch.channels_last, True),
    }
    milliseconds: dict[str, dict[str, float]] = {}
    for name, (machine, layout, fused) in settings.items():
        networks = {model: create_model(model).eval() for model in list_models()}
        if fused:
            networks = {model: for_inference(network) for model, network in networks.items()}
        found = measure_latency(networks, machine, rounds=asked.rounds, layout=layout)
        milliseconds[name] = {model: round(1000 * seconds, 2) for model, seconds in found.items()}
    result = {
        "what": "median milliseconds for one image of 256 x 256, batch 1, networks in turn, freed memory kept",
        "command": "python " + " ".join(["benchmarks/latency.py", *sys.argv[1:]]),
        "milliseconds": milliseconds,
        "ratio_to_unet": {
            name: {model: ms / row["unet"] for model, ms in row.items()} for name, row in milliseconds.items()
        },
        "environment": environment(best),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: result[key] for key in ("milliseconds", "ratio_to_unet")}, indent=2))


if __name__ == "__main__":
    main()
