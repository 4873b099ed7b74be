"""Peak resident memory of segmenting one huge image, from a tiled TIFF to a tiled TIFF, and the time it takes.

The image is written tile by tile too, and predicted in a process of its own, from import to end. Without --run the
network is an untrained AMSUnet: memory and time do not depend on what it learnt.

    python benchmarks/slide.py [--side 20000] [--run RUN] [--precision auto] [--out results/slide.json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from child import measured

from amsunet.inference.runtime_options import RuntimeOptions

RESULT = Path(__file__).parents[1] / "results" / "slide.json"
_TILE = 512


def write_image(path: Path, side: int) -> None:
    """Colours that change every 64 pixels."""
    import numpy as np  # noqa: PLC0415
    import tifffile  # noqa: PLC0415

    def tiles() -> Iterator[Any]:
        rng = np.random.default_rng(0)
        for _ in range((-(-side // _TILE)) ** 2):
            blocks = rng.integers(0, 255, (_TILE // 64, _TILE // 64, 3), np.uint8)
            yield np.kron(blocks, np.ones((64, 64, 1), np.uint8))

    tifffile.imwrite(
        path,
        tiles(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(_TILE, _TILE),
        photometric="rgb",
        compression="zlib",
        bigtiff=True,
    )


def make_run(folder: Path) -> Path:
    """An untrained AMSUnet for colour images and two classes."""
    from amsunet.data.masks import MaskConvention  # noqa: PLC0415
    from amsunet.data.preprocessing import Preprocessing  # noqa: PLC0415
    from amsunet.inference.model_file import save_model  # noqa: PLC0415
    from amsunet.inference.model_metadata import ModelDescription  # noqa: PLC0415
    from amsunet.inference.model_ref import FILE_NAME  # noqa: PLC0415
    from amsunet.models import create_model  # noqa: PLC0415

    description = ModelDescription(
        model="amsunet",
        arguments={},
        preprocessing=Preprocessing(in_channels=3, normalization="depth", mean=(0.5,) * 3, std=(0.25,) * 3),
        convention=MaskConvention(kind="values", values=(0, 255), class_names=("background", "foreground")),
    )
    save_model(folder / FILE_NAME, create_model("amsunet"), description)
    return folder


def predict(run: Path, image: Path, out: Path, precision: str) -> dict[str, float]:
    """Segment the image in this process."""
    from amsunet.inference.predictor import load  # noqa: PLC0415
    from amsunet.inference.slide import SlideTask  # noqa: PLC0415
    from amsunet.memory import keep_freed_memory, peak_memory  # noqa: PLC0415

    keep_freed_memory()  # as the command line does
    start = time.perf_counter()
    SlideTask(load(run, RuntimeOptions(precision=precision)), image, out, "mask").run()
    return {
        "peak_gb": peak_memory() / 1e9,
        "seconds": time.perf_counter() - start,
        "mask_mb": (out / "mask.tif").stat().st_size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder:
        found = predict(asked.run, asked.folder / "image.tif", asked.folder / "masks", asked.precision)
        print("\n" + json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_image(folder / "image.tif", asked.side)
        run = asked.run or make_run(folder / "run")
        found = measured(__file__, "--folder", folder, "--run", run, "--precision", asked.precision)
    from amsunet.device import choose_device, environment  # noqa: PLC0415

    result = {
        "what": "peak resident memory of the whole process in GB (10**9 bytes), seconds from opening the network on",
        "command": f"python benchmarks/slide.py --side {asked.side} --precision {asked.precision}",
        "side": asked.side,
        **found,
        "environment": environment(choose_device(precision=asked.precision)),
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in result.items() if key != "environment"}, indent=2))


if __name__ == "__main__":
    main()
