"""Tables beside the images that tell whose they are, and of which split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from amsunet.data.sample import Layout, Sample
from amsunet.data.spreadsheet import Table, column_called, read_table
from amsunet.data.words import split_of, words_of
from amsunet.errors import InputError

_EXACT = (
    "patient", "patientid", "patientnumber", "patientno", "patientnr", "patientname", "patientcode", "idpatient",
    "patid", "pid", "subject", "subjectid", "subjectno", "subjectnumber", "participant", "participantid", "case",
    "caseid", "group", "groupid",
)  # fmt: skip
_LIKELY = frozenset({"patient", "patients", "subject", "subjects"})
_OF_A_PATIENT = frozenset({
    "age", "sex", "gender", "weight", "height", "birth", "race", "position", "orientation", "status", "history",
    "date", "diagnosis", "outcome", "count", "grade", "stage", "type",
})  # fmt: skip
"""What is told of patients, and does not tell one from another."""


def find_patient_column(columns: Sequence[str]) -> int | None:
    """The column that tells patients apart: exact names go first, and a patient's age is none."""
    exact = column_called(columns, _EXACT)
    if exact is not None:
        return exact
    for index, column in enumerate(columns):
        words = set(words_of(column))
        if words & _LIKELY and not words & _OF_A_PATIENT:
            return index
    return None


@dataclass(frozen=True)
class _Reading:
    """What one column says if it names the images: the row of each."""

    column: int
    row_of: dict[str, tuple[str, ...]]
    """By sample name."""


def apply_tables(source: Path, layout: Layout) -> None:
    """Take groups and splits from the tables in a data set's folder that have a column of them and one of images."""
    for path in sorted([*source.glob("*.csv"), *source.glob("*.tsv")]):
        try:
            table = read_table(path)
        except InputError:
            continue  # no table, and nothing that patients could be known from
        patient = find_patient_column(table.columns)
        if patient is not None and table.rows:
            _apply(table, patient, layout)
        split = column_called(table.columns, ("split", "subset", "set", "partition"))
        if split is not None and table.rows:
            _apply_splits(table, split, layout)


def _apply(table: Table, patient: int, layout: Layout) -> None:
    column = f"column {table.columns[patient]!r}"
    readings = [
        _Reading(index, _rows_of(layout.samples, table, index))
        for index in range(len(table.columns))
        if index != patient
    ]
    best = max(readings, key=lambda reading: len(reading.row_of), default=None)
    if (best is None or not best.row_of) and (in_paths := _named_in_paths(layout.samples, table.values(patient))):
        layout.samples = [replace(s, group=s.group or in_paths[s.name]) for s in layout.samples]
        layout.notes.append(
            f"{table.path.name} names patients ({column}): the paths of the {len(in_paths)} images tell whose they "
            f"are, {len(set(in_paths.values()))} patients"
        )
        return
    if best is None or not best.row_of:
        if len(_rows_of(layout.samples, table, patient)) == len(layout.samples):
            return  # the images are called by their patients: each has one image
        shown, name = ", ".join(next(iter(table.rows.values()))), layout.samples[0].image.name
        layout.warnings.append(
            f"{table.path.name} ({column}) names the patients of 0 of {len(layout.samples)} images: no column of it "
            f"holds their names (its first line is {shown}; an image is called {name}); say --group, or patients may "
            "be on both sides of a cut"
        )
        return
    group_of = {name: row[patient] for name, row in best.row_of.items() if row[patient]}
    layout.samples = [replace(s, group=s.group or group_of.get(s.name) or None) for s in layout.samples]
    patients = len(set(group_of.values()))
    told = f"{table.path.name} names the patient of {len(group_of)} images ({column}, {patients} patients)"
    if len(group_of) == len(layout.samples):
        layout.notes.append(told)
    else:
        missing = next(sample for sample in layout.samples if sample.name not in group_of)
        layout.warnings.append(
            f"{told}; {len(layout.samples) - len(group_of)} of {len(layout.samples)} images are not in it, as "
            f"{missing.image.name}: each of them counts as a patient of its own"
        )


def _apply_splits(table: Table, column: int, layout: Layout) -> None:
    """Take splits from a column of them, where neither a folder nor a split file names any."""
    if any(s.split for s in layout.samples) or not all(split_of(value) for value in table.values(column) if value):
        return
    readings = [_rows_of(layout.samples, table, index) for index in range(len(table.columns)) if index != column]
    row_of = max(readings, key=len, default={})
    if row_of:
        layout.samples = [replace(s, split=split_of(row_of[s.name][column]) if s.name in row_of else None)
                          for s in layout.samples]  # fmt: skip
        layout.notes.append(
            f"{table.path.name} names the split of {len(row_of)} of {len(layout.samples)} images (column "
            f"{table.columns[column]!r})"
        )


def _named_in_paths(samples: Sequence[Sample], patients: Sequence[str]) -> dict[str, str]:
    """The patient of each sample by the one name that is found in its path as a whole word; empty if one has none."""
    known = {name for name in patients if len(name) > 2 and any(letter.isdigit() for letter in name)}
    found: dict[str, str] = {}
    for sample in samples:
        path = "/".join(sample.image.parts[-3:])
        here = [n for n in known if n in path and re.search(rf"(?<![^\W_]){re.escape(n)}(?![^\W_])", path)]
        if len(here) != 1:
            return {}
        found[sample.name] = here[0]
    return found


def _rows_of(samples: Sequence[Sample], table: Table, column: int) -> dict[str, tuple[str, ...]]:
    """The row of each sample, if that column names the images: by path or name, with or without suffix, or by numbers
    that have lost their zeros in front, where that fits one image only.
    """
    for key_of_cell, key_of_sample in _KEYS:
        by_key: dict[str, list[Sample]] = {}
        for sample in samples:
            if (key := key_of_sample(sample)) is not None:
                by_key.setdefault(key, []).append(sample)
        found = {}
        for row in table.rows.values():
            key = key_of_cell(row[column])
            same = by_key.get(key, []) if key else []
            if len(same) == 1:
                found[same[0].name] = row
        if found:
            return found
    return {}


def _path_of(text: str) -> PurePosixPath:
    return PurePosixPath(text.replace("\\", "/"))


def _stem_of(text: str) -> str:
    path = _path_of(text)
    # "case.7" is no name with a suffix.
    return (path.stem if path.suffix and not path.suffix[1:].isdigit() else path.name).lower()


def _number(text: str) -> str | None:
    name = _stem_of(text.removesuffix(".0"))
    return str(int(name)) if name.isascii() and name.isdigit() else None


def _last_two(path: PurePosixPath) -> str:
    return "/".join(path.with_suffix("").parts[-2:]).lower() if path.name else ""


_KEYS: tuple[tuple[Callable[[str], str | None], Callable[[Sample], str | None]], ...] = (
    (_stem_of, lambda sample: sample.image.stem.lower()),
    (lambda text: _last_two(_path_of(text)), lambda sample: _last_two(PurePosixPath(sample.image.as_posix()))),
    (_number, lambda sample: _number(sample.image.name)),
)
