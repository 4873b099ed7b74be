"""The images that paths, folders, patterns and lists name, each with the name of its mask."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amsunet.data.embedded import PREFIX, locate
from amsunet.data.images import is_image
from amsunet.data.other_formats import describe_other
from amsunet.data.slides import SLIDE_SUFFIXES
from amsunet.errors import InputError


@dataclass(frozen=True)
class Job:
    """One image to be predicted and the name its mask gets, relative and without suffix."""

    image: Path
    name: str


def find_inputs(inputs: Sequence[str], out: Path | None = None) -> list[Job]:
    """Find the images that paths, folders, patterns and lists (.txt, one path a line) name.

    Of a folder or a pattern, images below ``out``, where the masks go, are passed over, unless all of them are.

    Raises: InputError if an input names nothing, or two images would get the same mask name.
    """
    jobs: list[Job] = []
    for text in inputs:
        path = locate(text)
        if text.startswith(PREFIX):
            path = path / "test" / "images"
        if path.is_dir():
            found = [
                Job(image, str(image.relative_to(path).with_suffix("")))
                for image in sorted(path.rglob("*"))
                if image.is_file() and _is_input(image)
            ]
            found = _not_below(out, found)
        elif path.suffix.lower() == ".txt" and path.is_file():
            try:
                lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            except UnicodeDecodeError:
                raise InputError(f"{path} is not a list of paths: save it as UTF-8 text, one path a line") from None
            found = [Job(path.parent / line, Path(line).stem) for line in lines]
        elif path.exists():
            if not _is_input(path) and (kind := describe_other(path)):
                raise InputError(f"{path} is {kind}")
            found = [Job(path, path.stem)]
        else:
            found = [Job(Path(name), Path(name).stem) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207
            found = _not_below(out, [job for job in found if _is_input(job.image)])
        if not found:
            raise InputError(f"{text} names no image: check the path (folders, patterns and .txt lists are fine too)")
        jobs += found
    names: dict[str, Path] = {}
    for job in jobs:
        if job.name in names and names[job.name] != job.image:
            raise InputError(
                f"{job.image} and {names[job.name]} would get the same mask name: predict them into different folders"
            )
        names[job.name] = job.image
    return list({job.image: job for job in jobs}.values())


def _not_below(out: Path | None, found: list[Job]) -> list[Job]:
    if out is None:
        return found
    return [job for job in found if not job.image.resolve().is_relative_to(out.resolve())] or found


def _is_input(path: Path) -> bool:
    return is_image(path) or (path.suffix.lower() in SLIDE_SUFFIXES and not path.name.startswith("."))
