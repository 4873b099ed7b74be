"""The samples that come with the package: real images with real labels, to see that a machine works."""

from __future__ import annotations

from pathlib import Path

from amsunet.errors import InputError

PREFIX = "sample:"
_FOLDER = Path(__file__).parent / "samples"


def list_samples() -> list[str]:
    """The samples that come with the package, as ``sample:NAME``."""
    return sorted(PREFIX + path.name for path in _FOLDER.iterdir() if path.is_dir())


def locate(source: str | Path) -> Path:
    """The folder of ``sample:NAME``, or the path as given.

    Raises: InputError for a sample that does not exist.
    """
    text = str(source)
    if not text.startswith(PREFIX):
        return Path(source).expanduser()
    if text not in list_samples():
        raise InputError(f"there is no {text}: choose one of {', '.join(list_samples())}")
    return _FOLDER / text.removeprefix(PREFIX)
