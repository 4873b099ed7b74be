"""Records that are written to files: one format, read under the names of earlier versions too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


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
