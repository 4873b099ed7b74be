"""What a study compares: networks, or changes of the plan, by short names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from amsunet.errors import InputError, brief
from amsunet.models import absolute_model, is_custom

_SIZE = re.compile(r"_(xs|s|m|l)$")
_WIDTH = re.compile(r"(.+)@([0-9]+)")
_WIDEST = 4096
_DIGITS = 5
"""As many are enough to be too wide."""


class Variant(BaseModel):
    """One network of a study, or one change of the plan."""

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    options: dict[str, Any] = {}
    """Arguments of the network."""
    settings: dict[str, Any] = {}
    """Of its plan, where they are not the study's."""
    code: str | None = None
    """Checksum of the file that builds the network, where it is not one of amsunet's."""

    @property
    def family(self) -> str:
        """What it is a size of: its network and settings, without the width, and the rate that suits the width."""
        given = {**self.options, **self.settings}
        others = {name: value for name, value in given.items() if name not in ("base_channels", "learning_rate")}
        named = "".join(f" {name}={value}" for name, value in others.items())
        return _SIZE.sub("", self.model) + named

    @property
    def model_file(self) -> str | None:
        """``FILE.py:FUNCTION`` of a network that is not amsunet's."""
        return self.model if is_custom(self.model) else None


def as_variants(models: Sequence[str | Variant]) -> list[Variant]:
    """Networks by name or ``FILE.py:FUNCTION`` as variants, with short names that differ; variants stay as they are.

    ``NAME@16`` is a network at 16 base channels.

    Raises:
        InputError: For a width that no network has.
    """
    split = [_split(one) if isinstance(one, str) else (one.model, {}, "") for one in models]
    names = [re.sub(r"\.py:", ".", Path(path).name) + end for path, _, end in split]
    if len(set(names)) < len(names):  # files of one name in several folders
        names = [re.sub(r"\.py:", ".", "-".join(Path(path).parts[-2:])) + end for path, _, end in split]
    return [
        Variant(name=name, model=path, options=options) if isinstance(one, str) else one
        for one, name, (path, options, _) in zip(models, names, split, strict=True)
    ]


def _split(text: str) -> tuple[str, dict[str, int], str]:
    """The network, its options, and what stands for them in its name."""
    found = _WIDTH.fullmatch(text)
    if found is None:
        return absolute_model(text), {}, ""
    width = int(found[2][:_DIGITS])
    if not 1 <= width <= _WIDEST:
        raise InputError(f"{brief(text)}: a network has 1 to {_WIDEST} base channels, so write {brief(found[1])}@16")
    return absolute_model(found[1]), {"base_channels": width}, f"@{width}"
