"""Images a second, files to files: a folder of 256 x 256 images to mask files, by runtime and precision.

Plain is what a short script does: contiguous float32 as trained, nothing fused, one image after the other, read,
computed and written in turn. The others are ``amsunet predict``. Each runs in a process of its own; opening the
network is not counted, the first batch is.

    python benchmarks/throughput.py [--count 1000] [--rounds 1] [--images FOLDER] [--run RUN] [--out FILE]

Needs amsunet[export]. bfloat16 is left out where the processor only emulates it. Without --run a network is trained
for one step: its speed does not depend on what it learnt.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from child import measured

from amsunet.inference.runtime_options import RuntimeOptions

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results" / "throughput.json"
IMAGES = ROOT.parent / "shared" / "data" / "ISIC2017-256" / "images"
TORCH = ("float32", "bfloat16")
EXPORTS = (("onnx", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"))


def predict(form: str, run: Path, images: Path, out: Path) -> dict[str, float]:
    """Segment a folder in this process."""
    from amsunet.inference.inputs import find_inputs  # noqa: PLC0415
    from amsunet.inference.model_ref import ModelRef  # noqa: PLC0415
    from amsunet.inference.predict_files import predict_files  # noqa: PLC0415
    from amsunet.inference.predictor import load  # noqa: PLC0415
    from amsunet.memory import keep_freed_memory, peak_memory  # noqa: PLC0415

    jobs = find_inputs([str(images)])
    if form == "plain":
        seconds = predict_plainly(run, jobs, out)
    else:
        runtime, precision = form.split()
        keep_freed_memory()  # as the command line does
        predictor = (
            load(run, RuntimeOptions(device="cpu", precision=precision))
            if runtime == "torch"
            else load(ModelRef.resolve(run).export_path(runtime, precision))
        )
        seconds = predict_files(predictor, jobs, out).seconds
    return {"images_per_second": len(jobs) / seconds, "peak_gib": peak_memory() / 2**30}


def predict_plainly(run: Path, jobs: list[Any], out: Path) -> float:
    import torch  # noqa: PLC0415

    from amsunet.data.images import read_image, write_image  # noqa: PLC0415
    from amsunet.data.preprocessing import channels_first  # noqa: PLC0415
    from amsunet.inference.model_file import load_model  # noqa: PLC0415
    from amsunet.inference.model_ref import FILE_NAME  # noqa: PLC0415
    from amsunet.inference.torch_runtime import standardise  # noqa: PLC0415

    network, description = load_model(run / FILE_NAME)
    record = description.preprocessing
    start = time.perf_counter()
    with torch.inference_mode():
        for job in jobs:
            image = record.resize(record.normalize(read_image(job.image)))
            x = torch.from_numpy(channels_first(image)[None].copy()).float() / 255
            foreground = torch.softmax(network(standardise(x, record)), dim=1)[0, 1]
            mask = (foreground > description.threshold).numpy().astype("uint8") * 255
            write_image(out / f"{job.name}.png", mask)
    return time.perf_counter() - start


def make_run(folder: Path, images: Path) -> Path:
    """A network of a step's training on some of the images, halves of which are its masks."""
    import amsunet  # noqa: PLC0415
    from amsunet.data.images import read_image, write_image  # noqa: PLC0415

    for path in sorted(images.iterdir())[:24]:
        image = read_image(path)
        write_image(folder / "data" / "images" / f"{path.stem}.png", image)
        bright = image.mean(axis=2)
        write_image(folder / "data" / "masks" / f"{path.stem}.png", (bright < bright.mean()).astype("uint8") * 255)
    return amsunet.train(
        folder / "data",
        {"model": "amsunet", "epochs": 1, "steps_per_epoch": 1, "batch_size": 2, "crop": (256, 256)},
        out=folder / "run",
        device="cpu",
    ).run


def export_all(run: Path, precisions: set[str]) -> dict[str, str]:
    """Export what can be, in these precisions; why not, by what it would have been."""
    from amsunet.deployment.export import export  # noqa: PLC0415
    from amsunet.errors import InputError  # noqa: PLC0415
    from amsunet.inference.model_ref import ModelRef  # noqa: PLC0415

    refused = {}
    for to, precision in EXPORTS:
        if precision not in precisions:
            refused[f"{to} {precision}"] = f"this processor computes no {precision}"
            continue
        try:
            if not ModelRef.resolve(run).export_path(to, precision).is_file():
                export(run, to, precision=precision)
        except InputError as error:
            refused[f"{to} {precision}"] = str(error)
    return refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--form", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--masks", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.form:
        print("\n" + json.dumps(predict(asked.form, asked.run, asked.images, asked.masks)))
        return
    from importlib.metadata import version  # noqa: PLC0415

    from amsunet.device import choose_device, environment  # noqa: PLC0415

    machine = choose_device("cpu")
    precisions = {"float32", machine.precision}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "images").mkdir()
        for path in sorted(asked.images.iterdir())[: asked.count]:
            shutil.copy(path, folder / "images")
        count = len(list((folder / "images").iterdir()))
        run = asked.run or make_run(folder, folder / "images")
        refused = export_all(run, precisions)
        forms = ["plain", *(f"torch {precision}" for precision in TORCH if precision in precisions)]
        forms += [f"{to} {precision}" for to, precision in EXPORTS if f"{to} {precision}" not in refused]
        rates: dict[str, list[float]] = {form: [] for form in forms}
        peaks: dict[str, float] = dict.fromkeys(forms, 0.0)
        for turn in range(asked.rounds):
            for form in forms:
                words = ("--form", form, "--run", run, "--images", folder / "images")
                found = measured(__file__, *words, "--masks", folder / f"{form} {turn}")
                rates[form].append(found["images_per_second"])
                peaks[form] = max(peaks[form], found["peak_gib"])
                print(f"{form:<20} {found['images_per_second']:6.1f} images a second")
    best = {form: max(seen) for form, seen in rates.items()}
    result = {
        "what": f"images a second from {count} files to masks, best of {asked.rounds} rounds; peak memory in GiB",
        "command": "python " + " ".join(["benchmarks/throughput.py", *sys.argv[1:]]),
        "images_per_second": best,
        "ratio_to_plain": {form: rate / best["plain"] for form, rate in best.items()},
        "peak_gib": peaks,
        "rounds": rates,
        "refused": refused,
        "environment": environment(machine),
        "runtimes": {name: version(name) for name in ("onnxruntime", "openvino")},
    }
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({key: result[key] for key in ("images_per_second", "ratio_to_plain")}, indent=2))


if __name__ == "__main__":
    main()
