"""What an ONNX file says of itself, read without a runtime and without the package that defines the format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from amsunet.errors import InputError

MACS = "amsunet.macs_per_pixel"
"""Under this name an ONNX file holds the multiply-accumulate operations for a pixel at working size, a whole number."""
_METADATA_PROPS = 14
"""Field of ModelProto: messages of a key, field 1, and a value, field 2."""
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
"""Wire types of protobuf that are still in use."""


def read_onnx_metadata(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file; the network in it is passed over.

    Args:
        path: The file.

    Returns:
        What is held under each name.

    Raises:
        InputError: If the file is no ONNX file or is damaged.
    """
    try:
        content = memoryview(path.read_bytes())
        pairs = [dict(_fields(entry)) for number, entry in _fields(content) if number == _METADATA_PROPS]
        return {str(pair[1], "utf-8"): str(pair.get(2, b""), "utf-8") for pair in pairs}
    except (ValueError, KeyError, IndexError):
        raise InputError(f"{path} is no ONNX file or is damaged: copy it again, or export it again") from None


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The numbers and contents of a protobuf message's fields; of those that hold bytes alone.

    Raises:
        ValueError: If it ends too early, or is none.
        IndexError: Likewise.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _LENGTH:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise ValueError("a field ends behind the message")
            yield number, message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError("no protobuf message")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of as many bytes as it needs, and where the next field begins."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("no number of 64 bits")
