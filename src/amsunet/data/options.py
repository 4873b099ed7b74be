"""What a user sets of a data set, in one object that travels whole."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from amsunet.data.discovery.layout import Split
from amsunet.data.masks.convention import MaskOptions
from amsunet.errors import InputError
from amsunet.wording import setting


class DataOptions(BaseModel):
    """How a data set is read and split, where that is not to be found out.

    Raises:
        InputError: For an option that there is not, or a value that it cannot have.

    Example:
        >>> import amsunet
        >>> masks = amsunet.MaskOptions(classes=(0, 128, 255))
        >>> amsunet.DataOptions(masks=masks, group=r"(P\\d+)_").test_fraction
        0.2
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    masks: MaskOptions = MaskOptions()
    """What the values of masks mean."""
    group: str | None = None
    """A regular expression whose first group, found in an image's path, names the patient."""
    skip_broken: bool = False
    """Leave out images that cannot be used; otherwise they are an error."""
    test_fraction: float = Field(0.2, ge=0, le=0.9)
    """The share held out where the data name no test images."""
    splits: Mapping[str, Split] | None = None
    """The split of every image by its name, in place of the data set's own and of what is cut."""

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(**options)
        except ValidationError as error:
            raise _refused(error) from None


def _refused(error: ValidationError) -> InputError:
    first = error.errors()[0]
    name = str(first["loc"][-1])
    if first["type"] != "extra_forbidden":
        return InputError(f"{setting(str(first['loc'][0]))}: {first['msg'].lower()}, not {first['input']}")
    known = [*DataOptions.model_fields, *MaskOptions.model_fields]
    near = get_close_matches(name, known, n=1)
    return InputError(
        f"there is no option {name!r} of data: {f'did you mean {near[0]}?' if near else ', '.join(known)}"
    )
