"""The checksum of an exported network: the last bytes of its file, in a form that the format passes over.

It covers every byte before it, and the file of weights beside an OpenVINO network: weights, description, and that both
files are of one export. Nothing but this file is needed to look at it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from amsunet.errors import InputError

_NAME = b"amsunet.sha256"
_DIGITS = 64
_TRAILERS: dict[str, tuple[bytes, bytes]] = {
    # Field 14 of ModelProto, metadata_props, and in it key and value, with their lengths: parts of a protobuf message
    # may be appended to it.
    ".onnx": (b"\x72\x52\x0a\x0e" + _NAME + b"\x12\x40", b""),
    ".xml": (b"<!-- " + _NAME + b" ", b" -->\n"),
    # The comment of a zip file.
    ".pt2": (_NAME + b" ", b""),
    # A program names its own length; what follows is not read.
    ".pte": (_NAME + b" ", b""),
}
"""What stands before and behind the digits, by suffix."""
_ZIP_END = b"PK\x05\x06"
_ZIP_END_LENGTH = 22


def append_checksum(path: Path) -> str:
    """Append to an exported file the checksum of its content, and of what lies beside it.

    Returns:
        The SHA-256 as hexadecimal digits: the name of this export.
    """
    before, after = _TRAILERS[path.suffix]
    content = path.read_bytes()
    if path.suffix == ".pt2":
        # A zip file ends with the length of its comment.
        assert content[-_ZIP_END_LENGTH:].startswith(_ZIP_END), "torch.export wrote a zip file with a comment"
        content = content[:-2] + (len(before) + _DIGITS + len(after)).to_bytes(2, "little")
    digits = _sha256(content, path)
    path.write_bytes(content + before + digits.encode() + after)
    return digits


def verify_checksum(path: Path) -> str | None:
    """Compare an exported file, and what lies beside it, with the checksum at its end.

    Returns:
        The checksum; None of a file that has none, as earlier versions wrote it.

    Raises:
        InputError: If it differs, or the file of weights beside it is missing.
    """
    if path.suffix == ".xml" and not _weights(path).is_file():
        raise InputError(f"{_weights(path)} is missing, which {path.name} needs: copy both files, or export them again")
    before, after = _TRAILERS[path.suffix]
    content = path.read_bytes()
    if _NAME not in content:
        return None
    end = len(content) - len(after)
    start = end - _DIGITS
    expected = content[start:end]
    whole = content[:start].endswith(before) and content[end:] == after
    if whole and _sha256(memoryview(content)[: start - len(before)], path).encode() == expected:
        return expected.decode()
    if path.suffix == ".xml":
        raise InputError(
            f"{path} and {_weights(path).name} are not of one export, or one of them is damaged (the checksum differs):"
            " copy both again, or export again"
        )
    raise InputError(f"{path} is damaged or was changed (its checksum differs): copy it again, or export it again")


def _sha256(content: bytes | memoryview, path: Path) -> str:
    digest = hashlib.sha256(content)
    if path.suffix == ".xml":
        with _weights(path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _weights(path: Path) -> Path:
    """The file that holds the weights of an OpenVINO network."""
    return path.with_suffix(".bin")
