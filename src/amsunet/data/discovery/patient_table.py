"""Tables beside the images that name their patients and splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from amsunet.data.discovery.manifest import find_column
from amsunet.data.discovery.path_words import named_in_paths
from amsunet.data.discovery.patient_column import find_patient_column, known_patients, names_patients
from amsunet.data.discovery.sample import Layout, Sample
from amsunet.data.discovery.split_column import find_flag_of_split, find_split_column
from amsunet.data.discovery.spreadsheet import Table, column_called, read_table
from amsunet.data.discovery.words import Split, composed, split_of, words_of
from amsunet.errors import InputError
from amsunet.wording import setting


def apply_tables(source: Path, layout: Layout) -> None:
    """Take patients and splits from tables beside the images and in the folders above them.

    Args:
        source: The data set's folder.
        layout: Its samples get groups and splits; notes and warnings name the tables.

    Raises:
        InputError: If a table gives an image two splits or an unknown one.
    """
    for path in _tables(source, layout):
        try:
            read = read_table(path)
        except InputError as error:
            if error.code == "irregular":
                layout.warnings.append(f"{path} is not used: {error}")
            continue  # not a table
        table = _as_list(read, layout) if path.suffix.lower() == ".txt" else read
        if table is None:
            continue
        patient = find_patient_column(table.columns)
        if patient is not None and table.rows:
            table = table.with_values(patient, known_patients(table.values(patient)))
            _apply(table, patient, layout)
        split = find_split_column(table)
        if split is not None and table.rows:
            _apply_splits(table, split, patient, layout)
        _warn_of_other_pairs(table, layout)
        folds = column_called(table.columns, ("fold", "folds", "kfold", "cvfold", "foldid"))
        if split is None and (flag := find_flag_of_split(table)) is not None:
            layout.warnings.append(
                f"{path} (column {flag!r}) is not used as the split: write a column split with train, val and test"
            )
        if split is None and folds is not None and _best_rows(layout.samples, table, folds):
            layout.warnings.append(
                f"{path} (column {table.columns[folds]!r}) names folds, not a split, and is not used: write a column "
                "split with train, val and test"
            )


def _warn_of_other_pairs(table: Table, layout: Layout) -> None:
    """Warn of a table with columns of images and masks that pairs them otherwise and is not called manifest.csv."""
    image, mask = (find_column(table.columns, kind) for kind in ("image", "mask"))
    if image is None or mask is None:
        return
    rows = _rows_of(layout.samples, table, image)
    for sample in layout.samples:
        used = {path.stem.lower() for path in (*sample.masks.values(), *sample.more_masks.get("", ()))}
        named = {_stem_of(row[mask]) for row in rows.get(sample.name, ()) if _path_of(row[mask]).suffix}
        if named and not named & used:
            layout.warnings.append(
                f"{table.path} is not used as a manifest, and gives {sample.image.name} the mask {min(named)}, where "
                f"{next(iter(sample.masks.values())).name} is taken by its name: call it manifest.csv if it is right"
            )
            return


def _tables(source: Path, layout: Layout) -> list[Path]:
    folders = {source}
    for folder in {sample.image.parent for sample in layout.samples}:
        below = [folder, *folder.parents]
        folders |= set(below[: below.index(source)]) if source in below else set()
    folders = {folder for folder in folders if folder.is_dir()}  # of a frame, the parent is its file
    found = [path for folder in sorted(folders) for path in sorted(folder.iterdir())]
    return [path for path in found if path.suffix in (".csv", ".tsv") or _is_list_of_patients(path)]


def _is_list_of_patients(path: Path) -> bool:
    """Whether a text file has a name such as ``patients.txt``; ``train_patients.txt`` is the list of a split."""
    words = set(words_of(path.stem)) if path.suffix.lower() == ".txt" else set()
    return names_patients(words) and not any(map(split_of, words)) and path.is_file()


def _as_list(table: Table, layout: Layout) -> Table | None:
    """A list of images and patients as a table, separated by spaces if by nothing else, with or without a line of
    column names. None, with a warning, if it is no such list.
    """
    lines = [table.columns, *table.rows.values()]
    if all(len(line) == 1 for line in lines):
        lines = [tuple(line[0].rsplit(None, 1)) for line in lines]  # a name may hold spaces
    if lines and all(len(line) == len(lines[0]) > 1 for line in lines):
        named = Table(table.path, lines[0], dict(enumerate(lines[1:], start=2)))
        patient = find_patient_column(named.columns)
        if patient is not None and _best_rows(layout.samples, named, patient):
            return named
        rows = dict(enumerate(lines, start=1))
        for columns in (("image", "patient"), ("patient", "image")):
            plain = Table(table.path, columns, rows)
            found = _rows_of(layout.samples, plain, columns.index("image")) if len(lines[0]) == len(columns) else {}
            if 2 * len(found) > min(len(lines), len(layout.samples)):
                return plain
    layout.warnings.append(
        f"{table.path} is not read: write a line for each image, its name and its patient, or a CSV file with the "
        "columns image,patient"
    )
    return None


def _apply(table: Table, patient: int, layout: Layout) -> None:
    column = f"column {table.columns[patient]!r}"
    rows = _best_rows(layout.samples, table, patient)
    if not rows and (in_paths := named_in_paths(layout.samples, table.values(patient))):
        layout.samples = [replace(s, group=s.group or in_paths[s.name]) for s in layout.samples]
        layout.notes.append(
            f"{table.path.name} names patients ({column}), which are found in the paths of the {len(in_paths)} images: "
            f"{len(set(in_paths.values()))} patients"
        )
        return
    if not rows:
        if len(_rows_of(layout.samples, table, patient)) == len(layout.samples):
            return  # the images are named by patient: each has one image
        shown, image = ", ".join(next(iter(table.rows.values()))), layout.samples[0].image
        repeated = len({sample.image.name for sample in layout.samples}) < len(layout.samples)
        name = f"{'/'.join(image.parts[-3:])}, and names repeat" if repeated else image.name
        layout.warnings.append(
            f"{table.path.name} ({column}) names the patients of 0 of {len(layout.samples)} images: no column of it "
            f"holds their names (its first line is {shown}; an image is called {name}); set {setting('group')}, or "
            "the images of a patient may be in several splits"
        )
        return
    named = {name: known for name, cells in _values_of(rows, patient).items() if (known := [*filter(None, cells)])}
    group_of = {name: values[0] for name, values in named.items()}
    layout.samples = [replace(s, group=s.group or group_of.get(s.name) or None) for s in layout.samples]
    twice = [sample for sample in layout.samples if len(named.get(sample.name, ())) > 1]
    if twice:
        layout.warnings.append(
            f"{table.path.name} ({column}) gives {len(twice)} images two patients, as {twice[0].image.name} "
            f"({', '.join(named[twice[0].name])}): the first is taken"
        )
    patients = len(set(group_of.values()))
    found = f"{table.path.name} names the patient of {len(group_of)} images ({column}, {patients} patients)"
    if len(group_of) == len(layout.samples):
        layout.notes.append(found)
    else:
        missing = next(sample for sample in layout.samples if sample.name not in group_of)
        layout.warnings.append(
            f"{found}; {len(layout.samples) - len(group_of)} of {len(layout.samples)} images are not in it, as "
            f"{missing.image.name}: each of them counts as one more patient"
        )


def _apply_splits(table: Table, column: int, patient: int | None, layout: Layout) -> None:
    """Take the splits of images or of patients from a column, unless folders or a split file name them.

    Raises:
        InputError: If an image has two splits or an unknown one.
    """
    where = f"{table.path.name} (column {table.columns[column]!r})"
    values = sorted({value for value in table.values(column) if value})
    unknown = [value for value in values if split_of(value) is None]
    named = _values_of(_best_rows(layout.samples, table, column), column)
    if not named and patient is not None:
        named = _by_patient(layout.samples, table, patient, column)
    if not named or len(unknown) == len(values):
        why = (
            "it names no image of the data set" if not named else f"its values ({', '.join(values[:4])}) are no splits"
        )
        layout.warnings.append(f"{where} is not used as the split: {why}")
        return
    if unknown:
        raise InputError(
            f"{table.path}, column {table.columns[column]!r}: split {unknown[0]!r} is unknown: write train, val or test"
        )
    split_of_name: dict[str, Split | None] = {}
    for name, several in named.items():
        splits = list(dict.fromkeys(split_of(value) for value in several))
        if len(splits) > 1:
            raise InputError(
                f"{table.path} puts {name!r} into two splits, {splits[0]} and {splits[1]}: leave it in one"
            )
        split_of_name[name] = splits[0]
    if any(s.split for s in layout.samples):
        now = {sample.name: sample.split or "train" for sample in layout.samples}
        other = [s for s in layout.samples if split_of_name.get(s.name, now[s.name]) != now[s.name]]
        if other:
            layout.warnings.append(
                f"{where} is not used: the split is known already, and differs for {len(other)} images, as "
                f"{other[0].image.name}"
            )
        return
    layout.samples = [replace(s, split=split_of_name.get(s.name)) for s in layout.samples]
    layout.notes.append(
        f"{table.path.name} names the split of {len(split_of_name)} of {len(layout.samples)} images (column "
        f"{table.columns[column]!r})"
    )


def _by_patient(samples: Sequence[Sample], table: Table, patient: int, column: int) -> dict[str, list[str]]:
    """The values of a column for the patient of each sample, by sample name."""
    of_patient: dict[str, list[str]] = {}
    for row in table.rows.values():
        if row[column]:
            of_patient.setdefault(row[patient], []).append(row[column])
    in_paths = named_in_paths(samples, list(of_patient))
    whose = {s.name: s.group if s.group in of_patient else in_paths.get(s.name, "") for s in samples}
    return {name: of_patient[one] for name, one in whose.items() if one in of_patient}


def _best_rows(samples: Sequence[Sample], table: Table, column: int) -> dict[str, list[tuple[str, ...]]]:
    """The rows of each sample by its name, from the column that names most images, ``column`` itself left out."""
    readings = [_rows_of(samples, table, index) for index in range(len(table.columns)) if index != column]
    return max(readings, key=len, default={})


def _values_of(rows: dict[str, list[tuple[str, ...]]], column: int) -> dict[str, list[str]]:
    """The distinct values of a column for each sample that has one."""
    found = {name: list(dict.fromkeys(row[column] for row in several if row[column])) for name, several in rows.items()}
    return {name: values for name, values in found.items() if values}


def _rows_of(samples: Sequence[Sample], table: Table, column: int) -> dict[str, list[tuple[str, ...]]]:
    """The rows of each sample, if a column names the images: by path or name, with or without suffix, or by number
    without leading zeros if that fits one image only; of these the way that finds most.
    """
    best: dict[str, list[tuple[str, ...]]] = {}
    for key_of_cell, key_of_sample in _KEYS:
        by_key: dict[str, list[Sample]] = {}
        for sample in samples:
            if (key := key_of_sample(sample)) is not None:
                by_key.setdefault(key, []).append(sample)
        found: dict[str, list[tuple[str, ...]]] = {}
        for row in table.rows.values():
            key = key_of_cell(row[column])
            same = by_key.get(key, []) if key else []
            if len(same) == 1:
                found.setdefault(same[0].name, []).append(row)
        best = max(best, found, key=len)
        if len(best) == len(samples):
            break
    return best


def _path_of(text: str) -> PurePosixPath:
    return PurePosixPath(text.replace("\\", "/"))


def _stem_of(text: str) -> str:
    path = _path_of(composed(text))
    # "case.7" has no suffix.
    return (path.stem if path.suffix and not path.suffix[1:].isdigit() else path.name).lower()


def _number(text: str) -> str | None:
    name = _stem_of(text.removesuffix(".0"))
    return str(int(name)) if name.isascii() and name.isdigit() else None


def _end(path: PurePosixPath, parts: int) -> str:
    return composed("/".join(path.with_suffix("").parts[-parts:]).lower()) if path.name else ""


def _by_end(parts: int) -> tuple[Callable[[str], str | None], Callable[[Sample], str | None]]:
    """Keys of cells and samples: so many parts of a path from its end."""

    def of_cell(text: str) -> str | None:
        path = _path_of(text)
        return _end(path, parts) if len(path.parts) >= parts else None

    return of_cell, lambda sample: _end(PurePosixPath(sample.image.as_posix()), parts)


_KEYS: tuple[tuple[Callable[[str], str | None], Callable[[Sample], str | None]], ...] = (
    (_stem_of, lambda sample: composed(sample.image.stem.lower())),
    *map(_by_end, (2, 3, 4)),
    (_number, lambda sample: _number(sample.image.name)),
)
