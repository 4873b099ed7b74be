"""Channels that are neither grey nor colours: what they are called, and whether images and networks have the same.

An image of grey values or of red, green and blue has no names of channels. Any other image has a name for each, from
its file or by its number, so that names also tell three channels from colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from amsunet.data.channel_files import split_channels
from amsunet.data.containers import Address, find_address
from amsunet.data.image_file import is_tiff, reading
from amsunet.errors import InputError

Names = tuple[str, ...]


def numbered(count: int) -> Names:
    """The names of channels that have none."""
    return tuple(f"channel {number}" for number in range(1, count + 1))


def channel_names(path: Path, count: int) -> Names:
    """Find the names of an image's channels, from its header.

    Args:
        path: The path or address of an image, as ``read_image`` takes it.
        count: Of the channels, as they were read.

    Returns:
        A name for each; empty for grey and colours.
    """
    if parts := split_channels(path):
        return tuple(parts)
    address, known = find_address(path), ()
    if address is None and count > 1 and is_tiff(path):
        address = Address(path, "")
    if address is not None and (find := getattr(address.reader, "channel_names", None)) is not None:
        with suppress(Exception), reading():  # read_image reports the reason
            known = find(*address)
    return known if len(known) == count else () if count in (1, 3) else numbered(count)


def common_names(images: Sequence[Names]) -> Names:
    """The names of the channels of several images: those that all have, else their numbers.

    Args:
        images: The names of each image's channels, as many in each.
    """
    return images[0] if len({*images}) == 1 else numbered(len(images[0]))


def describe_channels(count: int, names: Names) -> str:
    """The channels of an image in words.

    Args:
        count: Of the channels.
        names: Of the channels; empty for grey and colours.
    """
    if not names:
        return {1: "one channel (grey)", 3: "3 channels (red, green, blue)"}.get(count, f"{count} channels")
    return f"{count} channels" if names == numbered(count) else f"{count} channels ({', '.join(names)})"


def refuse_channels(who: str, count: int, names: Names, wanted: int, wanted_names: Names) -> None:
    """Refuse an image whose channels are not those that a network was trained on.

    Grey images are seen as colours, and colours as grey. A name that the network knows in another place is refused;
    other names are not, for they may mean the same: ``describe_other_names`` lists them.

    Args:
        who: What the image is called.
        count: Of the image's channels.
        names: Of the image's channels; empty for grey and colours, and where they are not known.
        wanted: Of the channels that the network takes.
        wanted_names: Of these; empty for grey and colours.

    Raises:
        InputError: If the network cannot take the image.
    """
    if not names and not wanted_names and {count, wanted} <= {1, 3}:
        return
    has, takes = describe_channels(count, names), describe_channels(wanted, wanted_names)
    of_colours = wanted in (1, 3) and not wanted_names
    if count != wanted or (of_colours and names):
        raise InputError(
            f"{who} has {has}, and the network takes {takes}: name images with these channels", code="channels"
        )
    if any(name in wanted_names and name != at_home for name, at_home in zip(names, wanted_names, strict=False)):
        raise InputError(
            f"{who} has {has}, and the network takes {takes}, in this order: save the channels so", code="channels"
        )


def describe_other_names(path: Path, wanted: Names) -> str:
    """In what an image's channels are called otherwise than those that a network was trained on.

    Args:
        path: The path or address of an image with as many channels.
        wanted: Of the network's channels; empty for grey and colours.

    Returns:
        A clause; empty where names are alike, or one of both has none.
    """
    unnamed = ((), numbered(len(wanted)))
    if wanted in unnamed or (names := channel_names(path, len(wanted))) in (wanted, *unnamed):
        return ""
    return f"channels {', '.join(names)}, and the training images have {', '.join(wanted)}"
