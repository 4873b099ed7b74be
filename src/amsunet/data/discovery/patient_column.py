"""Which column of a table identifies patients, and which of its cells name one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

from amsunet.data.discovery.spreadsheet import column_called
from amsunet.data.discovery.words import words_of

_EXACT = (
    "patient", "patientid", "patientnumber", "patientno", "patientnr", "patientname", "patientcode", "idpatient",
    "patid", "pid", "subject", "subjectid", "subjectno", "subjectnumber", "participant", "participantid", "case",
    "caseid", "group", "groupid", "patientenid", "patientennummer", "patientennr", "mrn", "medicalrecordnumber",
    "hospitalnumber", "hospitalno", "hospitalid", "donor", "donorid", "animal", "animalid", "mouseid", "videoid",
    "video", "sequenceid", "volumeid", "slideid", "lesionid", "studyinstanceuid", "studyid", "accessionnumber",
    "examid",
)  # fmt: skip
"""Names of a column of patients, best first; those of videos, lesions and examinations come last, for they tie
images together that are from one patient."""
_LIKELY = frozenset({"patient", "patients", "patienten", "paciente", "subject", "subjects"})
_OF_A_PATIENT = frozenset({
    "age", "sex", "gender", "weight", "height", "birth", "race", "position", "orientation", "status", "history",
    "date", "diagnosis", "outcome", "count", "grade", "stage", "type",
    "alter", "geschlecht",
})  # fmt: skip
"""Words for a property of patients, which does not identify one."""
_NOBODY = frozenset({"n/a", "#n/a", "nan", "<na>", "none", "null", "unknown", "?", "-", "--"})
"""What spreadsheets and programs write into a cell without a value; ``NA`` may be the initials of a patient."""


def known_patient(cell: str) -> str:
    """The patient that a cell names; empty for a word that stands for a missing value."""
    return "" if cell.strip().lower() in _NOBODY else cell


def known_patients(cells: Iterable[str]) -> list[str]:
    """The patients that cells name, as ``known_patient`` does each; ``p1`` is ``P1`` where that stands above.

    Args:
        cells: The cells of a column.

    Returns:
        A name for each cell.
    """
    spelled: dict[str, str] = {}
    return [spelled.setdefault(" ".join(cell.casefold().split()), cell) for cell in map(known_patient, cells)]


def find_patient_column(columns: Sequence[str]) -> int | None:
    """Find the column that identifies patients; a property such as a patient's age does not.

    Args:
        columns: The names of a table's columns.

    Returns:
        The index of the column; an exact name comes first. None if there is none.
    """
    exact = column_called(columns, _EXACT)
    if exact is not None:
        return exact
    for index, column in enumerate(columns):
        words = set(words_of(column))
        if names_patients(words) and not words & _OF_A_PATIENT:
            return index
    return None


def names_patients(words: Set[str]) -> bool:
    """Whether one of the words of a name is a word for patients."""
    return bool(words & _LIKELY)
