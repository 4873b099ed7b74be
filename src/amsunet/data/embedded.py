"""The samples that come with the package: real images with real labels, to see that a machine works."""

from __future__ import annotations

from pathlib import Path

from amsunet.errors import InputError

PREFIX = "sample:"
_FOLDER = Path(__file__).parent / "samples"


def locate(source: str | Path) -> Path:
    """The folder of ``sample:NAME``, or the path as given.

    Raises: InputError for a sample that does not exist.
    """
    text = str(source)
    if not text.startswith(PREFIX):
        return Path(source).expanduser()
    names = sorted(path.name for path in _FOLDER.iterdir() if path.is_dir())
    name = text.removeprefix(PREFIX)
    if name not in names:
        raise InputError(f"there is no {text}: choose one of {', '.join(PREFIX + known for known in names)}")
    return _FOLDER / name
