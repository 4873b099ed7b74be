"""Images whose channels lie in a file each: ``cell_{DAPI,GFP}.tif`` stands for ``cell_DAPI.tif`` and ``cell_GFP.tif``.

Whatever takes the path of an image takes such an address too. In front of a file of several images it stands for the
image of the same place in each: ``head_{0000,0001}.nii.gz/z012``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from amsunet.data.discovery.other_formats import stem_of

_BRACES = re.compile(r"([^{}]*)\{([^{}/]+,[^{}/]+)\}([^{}]*)")


def split_channels(path: Path) -> dict[str, Path]:
    """The files that an address with braces stands for.

    Args:
        path: Any path.

    Returns:
        The path of each channel by its name, which is what stands between the braces; empty for any other path, also
        for that of a file that has braces in its name.
    """
    text = str(path)
    if "{" not in text or (found := _BRACES.fullmatch(text)) is None or path.exists():
        return {}
    names = [name.strip() for name in found[2].split(",")]
    if not all(names) or len({*names}) < len(names):
        return {}
    return {name: Path(f"{found[1]}{name}{found[3]}") for name in names}


def first_channel(path: Path) -> Path:
    """The file of the first channel, from which size, spacing and places are taken; any other path is itself."""
    return next(iter(split_channels(path).values()), path)


def join_channels(folder: Path, before: str, names: Sequence[str], behind: str) -> Path:
    """The address of an image whose channels lie in a file each.

    Args:
        folder: That the files lie in.
        before: What their names begin with.
        names: What stands there, in the order of the channels.
        behind: What their names end with.

    Returns:
        The address; the path of the file if there is only one.
    """
    return folder / (f"{before}{names[0]}{behind}" if len(names) == 1 else f"{before}{{{','.join(names)}}}{behind}")


def image_name(path: Path) -> str:
    """What an image is called after: its path's last part without suffix, and without the names of channels.

    Args:
        path: The path or address of an image.

    Example:
        >>> image_name(Path("plate/cell_{DAPI,GFP}.tif"))
        'cell'
    """
    if split_channels(path):
        path = Path(re.sub(r"[_\-. ]*\{[^{}]*\}", "", str(path)))
    return stem_of(path)
