"""Sample data sets that come with the package: real images with real labels, to try every command."""

from __future__ import annotations

import os
from pathlib import Path

from amsunet.data.discovery.other_formats import describe_other
from amsunet.errors import InputError
from amsunet.regular_file import refuse_irregular

PREFIX = "sample:"
_FOLDER = Path(__file__).parent / "samples"


def list_samples() -> list[str]:
    """List the samples that come with the package, as ``sample:NAME``."""
    return sorted(PREFIX + path.name for path in _FOLDER.iterdir() if path.is_dir())


def check_exists(source: str | Path) -> None:
    """Check that a data set exists and can be read, before anything heavy is loaded.

    Args:
        source: A folder, a CSV manifest, or ``sample:NAME``.

    Raises:
        InputError: If it does not exist, is empty, is a file of another format, or neither file nor folder.
    """
    path = locate(source)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise InputError(f"{name} has a name that is not UTF-8: rename it") from None
    try:
        if not path.exists():
            raise InputError(f"{path} does not exist: check the path")
        if path.is_dir() and not any(path.iterdir()):
            raise InputError(
                f"{path} is empty: put images into a folder images/ and masks into masks/ in it, or write a "
                "manifest.csv with the columns image,mask"
            )
    except PermissionError as error:
        raise InputError(f"{error.filename} may not be read: change its permissions") from None
    if path.is_dir():
        return
    refuse_irregular(path)
    if kind := describe_other(path):
        raise InputError(f"{path} is {kind}")
    from amsunet.data.image_file import is_image  # noqa: PLC0415 - which imports readers

    if is_image(path):
        raise InputError(f"{path} is an image or a volume: name the folder that holds it and its mask")


def locate(source: str | Path) -> Path:
    """The folder of ``sample:NAME``, or the path as given.

    Args:
        source: A path or ``sample:NAME``.

    Raises:
        InputError: If there is no sample of that name.
    """
    text = str(source)
    if not text.startswith(PREFIX):
        return Path(source).expanduser()
    if text not in list_samples():
        raise InputError(f"{text} is not found: choose one of {', '.join(list_samples())}")
    return _FOLDER / text.removeprefix(PREFIX)
