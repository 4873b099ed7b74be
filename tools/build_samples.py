"""Rebuild the embedded sample data sets (src/amsunet/data/samples) from two pinned wheels.

    python tools/build_samples.py                 # fetches the wheels with pip
    python tools/build_samples.py --wheels DIR    # takes them from DIR

Needs the `dev` extra (nibabel). NOTICE.md in the samples folder says what the data are and under which terms.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

SAMPLES = Path(__file__).resolve().parents[1] / "src" / "amsunet" / "data" / "samples"

STARDIST = "stardist==0.9.2"
NILEARN = "nilearn==0.14.1"
NUCLEI_IMAGE = "stardist/data/images/img2d.tif"
NUCLEI_LABELS = "stardist/data/images/mask2d.tif"
BRAIN_VOLUME = "nilearn/datasets/data/mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"

SHA256 = {
    NUCLEI_IMAGE: "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
    NUCLEI_LABELS: "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
    BRAIN_VOLUME.format("t1"): "421a10e872fd6cadae7f61d358dffbcc1795a497d61ee76c5dda2503e1a1e9e6",
    BRAIN_VOLUME.format("gm"): "97a5ca69bd24db37a9cb7b32525e1733a209af904129bf1cd36da06d24243bed",
    BRAIN_VOLUME.format("wm"): "382d92812de4744f9c86c7a0e4f680dc317a0a50e4da1f0153618a6798c7b7db",
}

TILE = 128
NUCLEI_TEST_COLUMN = 384

# Voxel indices (1 mm). The crop keeps the whole brain and is 160 x 192 pixels, both divisible by 32.
BRAIN_X = slice(18, 178)
BRAIN_Y = slice(21, 213)
BRAIN_TRAIN_Z = (*range(35, 81, 3), *range(125, 147, 3))
BRAIN_TEST_Z = range(92, 114, 3)


def download(target: Path) -> None:
    """Fetch the pinned wheels into target."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*pip, "--dest", str(target), STARDIST, NILEARN], check=True)


def read_member(wheels: Path, requirement: str, member: str) -> bytes:
    """Read one file out of the wheel of a pinned requirement and verify its checksum."""
    pattern = requirement.replace("==", "-") + "-*.whl"
    wheel = next(wheels.glob(pattern), None)
    if wheel is None:
        raise SystemExit(f"no {pattern} in {wheels}")
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(member)
    if hashlib.sha256(content).hexdigest() != SHA256[member]:
        raise SystemExit(f"{member} in {wheel.name} is not the expected file (sha256 differs)")
    return content


def read_volume(wheels: Path, name: str) -> Pixels:
    """Read one 8-bit ICBM 152 volume, axes left-right, back-front, foot-head."""
    content = gzip.decompress(read_member(wheels, NILEARN, BRAIN_VOLUME.format(name)))
    return np.asarray(nib.Nifti1Image.from_bytes(content).dataobj, dtype=np.uint8)


def save_pair(folder: Path, name: str, image: Pixels, mask: Pixels) -> None:
    for kind, pixels in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / kind / f"{name}.png", optimize=True)


def build_nuclei(wheels: Path, out: Path) -> None:
    """Cut the nuclei image into disjoint tiles; the right quarter is the test set."""
    image = tifffile.imread(io.BytesIO(read_member(wheels, STARDIST, NUCLEI_IMAGE)))
    labels = tifffile.imread(io.BytesIO(read_member(wheels, STARDIST, NUCLEI_LABELS)))
    grey = image.astype(np.uint8)  # 16-bit file, but the checksummed values are 0..235: no rescaling
    mask = np.where(labels > 0, 255, 0).astype(np.uint8)
    for y in range(0, grey.shape[0], TILE):
        for x in range(0, grey.shape[1], TILE):
            part = "test" if x >= NUCLEI_TEST_COLUMN else "train"
            tile = np.s_[y : y + TILE, x : x + TILE]
            save_pair(out / part, f"nuclei_y{y:03d}_x{x:03d}", grey[tile], mask[tile])


def build_brain(wheels: Path, out: Path) -> None:
    """Cut axial T1 slices; each pixel's label is the most probable of background, grey and white matter."""
    t1, grey, white = (read_volume(wheels, name) for name in ("t1", "gm", "wm"))
    rest = 255 - grey - white  # grey + white never exceeds 255 in these maps
    labels = np.stack([rest, grey, white]).argmax(axis=0).astype(np.uint8)
    for part, indices in (("train", BRAIN_TRAIN_Z), ("test", BRAIN_TEST_Z)):
        for z in indices:
            # Radiological view: nose up, the patient's right on the left.
            image, mask = (volume[BRAIN_X, BRAIN_Y, z][::-1, ::-1].T for volume in (t1, labels))
            save_pair(out / part, f"brain_z{z:03d}", image, mask)


def write_checksums(samples: Path) -> None:
    """Write SHA256SUMS in the format of `sha256sum --check`."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(samples).as_posix()}\n"
        for path in sorted(samples.rglob("*.png"))
    ]
    (samples / "SHA256SUMS").write_text("".join(lines), encoding="ascii", newline="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="Rebuild the embedded sample data sets.")
    parser.add_argument("--wheels", type=Path, help="folder with the two wheels (default: pip download)")
    parser.add_argument("--out", type=Path, default=SAMPLES, help="samples folder to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        wheels = args.wheels or Path(temporary)
        if args.wheels is None:
            download(wheels)
        for name, build in (("nuclei", build_nuclei), ("brain", build_brain)):
            shutil.rmtree(args.out / name, ignore_errors=True)
            build(wheels, args.out / name)
    write_checksums(args.out)


if __name__ == "__main__":
    main()
