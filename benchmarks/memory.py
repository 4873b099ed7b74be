"""Peak resident memory of training (batch 8, 256 x 256) and of predicting a 6,000 x 6,000 image.

Each runs in a process of its own, from import to end.

    python benchmarks/memory.py [--out results/memory.json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from child import measured

RESULT = Path(__file__).parents[1] / "results" / "memory.json"
TASKS = ("data", "train", "predict")
_SIDE = 6000


def measure(task: str, folder: Path) -> dict[str, float]:
    """Run one task in this process and read its peak."""
    import numpy as np  # noqa: PLC0415

    from amsunet.data.images import write_image  # noqa: PLC0415
    from amsunet.memory import keep_freed_memory, peak_memory  # noqa: PLC0415

    keep_freed_memory()  # as the command line does

    seconds = 0.0
    if task == "data":
        rng = np.random.default_rng(0)
        for split, count in (("train", 12), ("val", 2)):
            for number in range(count):
                image = rng.integers(0, 255, (256, 256, 3), np.uint8)
                write_image(folder / "data" / split / "images" / f"{number}.png", image)
                write_image(
                    folder / "data" / split / "masks" / f"{number}.png", (image[..., 0] > 128).astype(np.uint8) * 255
                )
        blocks = rng.integers(0, 255, (_SIDE // 100, _SIDE // 100, 3), np.uint8)
        write_image(folder / "large.png", np.kron(blocks, np.ones((100, 100, 1), np.uint8)))
    elif task == "train":
        import amsunet  # noqa: PLC0415

        amsunet.train(
            folder / "data",
            {"model": "amsunet", "epochs": 1, "steps_per_epoch": 6, "batch_size": 8, "crop": (256, 256)},
            out=folder / "run",
            data_options=amsunet.DataOptions(test_fraction=0),
        )
    else:
        from amsunet.inference.inputs import find_inputs  # noqa: PLC0415
        from amsunet.inference.predict_files import predict_files  # noqa: PLC0415
        from amsunet.inference.predictor import load  # noqa: PLC0415

        outcome = predict_files(load(folder / "run"), find_inputs([str(folder / "large.png")]), folder / "masks")
        seconds = outcome.seconds
    return {"peak_gib": peak_memory() / 2**30, "seconds": seconds}


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] in TASKS:
        print("\n" + json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for task in TASKS:
            found[task] = measured(__file__, task, folder)
    from amsunet.device import choose_device, environment  # noqa: PLC0415

    result = {
        "what": "peak resident memory of the whole process, GiB",
        "command": "python benchmarks/memory.py",
        "train_batch_8_256x256": found["train"]["peak_gib"],
        f"predict_{_SIDE}x{_SIDE}": found["predict"]["peak_gib"],
        f"predict_{_SIDE}x{_SIDE}_seconds": found["predict"]["seconds"],
        "environment": environment(choose_device("cpu")),
    }
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "environment"}, indent=2))


if __name__ == "__main__":
    main()
