"""Records that are written to files, and how those of earlier versions are read.

A field that was renamed is read under its former name. Of features that are gone, a file that uses one is refused in a
sentence, and one that only names it is read as before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

_LAST = "0.1.0 (commit e005fca)"
"""The last version that had the features that are gone."""
_TYPE = "removed"
"""Of the error by which pydantic reports one."""
_FEATURES = {
    "ce_dice_boundary": "boundary loss",
    "elastic": "elastic augmentation",
    "low_resolution": "low-resolution augmentation",
    "scale": "zoom augmentation (extra scale)",
    "clahe": "CLAHE windowing",
}
"""By the value that asked for it."""
_SWITCHES = {"deep_supervision": "deep supervision"}
"""By the setting that asked for it, ``False`` of old."""


class Record(BaseModel):
    """A frozen record whose fields are all known and whose numbers are finite.

    A field that was renamed is read under its former name; what is written has the name of today.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    former_names: ClassVar[Mapping[str, str]] = {}
    """Today's name of a field by the name that earlier versions wrote."""

    @model_validator(mode="before")
    @classmethod
    def _under_todays_names(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not cls.former_names:
            return data
        return {cls.former_names.get(name, name): value for name, value in data.items()}


def refuse_removed(value: Any) -> Any:
    """Check a value, or each of several, before pydantic does: a former one is refused with its last version."""
    for one in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(one, str) and one in _FEATURES:
            raise _error(_FEATURES[one])
    return value


def without_removed(settings: Any) -> Any:
    """Settings of an earlier version without those that are gone and were not used."""
    if not isinstance(settings, dict):
        return settings
    for name, feature in _SWITCHES.items():
        if settings.get(name):
            raise _error(feature)
    return {name: value for name, value in settings.items() if name not in _SWITCHES}


def removed_in(error: ValidationError) -> str | None:
    """The sentence about what is gone, where that is what an error is about."""
    return next((problem["msg"] for problem in error.errors() if problem["type"] == _TYPE), None)


def _error(feature: str) -> PydanticCustomError:
    return PydanticCustomError(
        _TYPE,
        "amsunet no longer has {feature}: {last} was the last version with it",
        {"feature": feature, "last": _LAST},
    )
