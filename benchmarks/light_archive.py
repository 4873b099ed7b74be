"""A study as one small file: everything but weights and pictures, so that a queue outlives its machine.

What a training reached is in the tables of its folder. Its network comes back without what it has learnt, which is
enough to count and time it.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

from amsunet.atomic_io import atomic_write, write_json
from amsunet.evaluation.study import Study, is_done, read_study, study_file, trial_folder
from amsunet.inference.model_file import build_network, save_model
from amsunet.inference.model_metadata import ModelDescription, read_description
from amsunet.inference.model_ref import FILE_NAME
from amsunet.training.run_folder import METRICS_NAME

_TABLES = (METRICS_NAME, "evaluation/*/images.csv", "evaluation/*/summary.json")
_DESCRIPTION = "description.json"


def archive(folder: Path, file: Path) -> None:
    """Write what is done of a study to a file, without the folders that it and its data lie in.

    Args:
        folder: Of the study.
        file: What to write, ``.tar.xz``.
    """
    study = read_study(folder)
    places = [(json.dumps(str(path))[1:-1].encode(), path.name.encode()) for path in (Path(study.source), folder)]
    with atomic_write(file) as temporary, tarfile.open(temporary, "w:xz") as packed:
        for name, content in _contents(folder, study):
            nameless = reduce(lambda text, place: text.replace(*place), places, content)
            entry = tarfile.TarInfo(name)
            entry.size = len(nameless)
            packed.addfile(entry, io.BytesIO(nameless))


def _contents(folder: Path, study: Study) -> Iterator[tuple[str, bytes]]:
    yield study_file(folder).name, study_file(folder).read_bytes()
    for trial in study.trials():
        if is_done(folder, trial):
            home = trial_folder(folder, trial)
            for path in sorted(path for pattern in _TABLES for path in home.glob(pattern)):
                yield path.relative_to(folder).as_posix(), path.read_bytes()
            if (description := read_description(home / FILE_NAME)) is not None:
                yield (home / _DESCRIPTION).relative_to(folder).as_posix(), description.model_dump_json().encode()


def restore(file: Path, folder: Path, source: Path) -> None:
    """Make the folder of a study again.

    Args:
        file: What ``archive`` wrote.
        folder: Of the study; nothing may lie there.
        source: The data set.
    """
    with tarfile.open(file) as packed:
        packed.extractall(folder, filter="data")
    path = study_file(folder)
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"source": str(source.absolute())})
    for described in folder.rglob(_DESCRIPTION):
        description = ModelDescription.model_validate_json(described.read_bytes())
        save_model(described.with_name(FILE_NAME), build_network(description.model, description.arguments), description)
        described.unlink()
