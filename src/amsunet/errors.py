"""The error that a user can fix, and the short form of any other."""

from __future__ import annotations

from textwrap import shorten


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence: which file, what is wrong, what to do. The command line prints it and ends
    with exit code 2.

    Args:
        message: The sentence.
        code: A short name of what is wrong, where something is decided by it; no text is parsed for that.

    Example:
        >>> import amsunet
        >>> amsunet.load("runs/missing")
        Traceback (most recent call last):
        amsunet...Error: runs/missing...
    """

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def first_line(error: BaseException) -> str:
    """The first line of an error's message, at most 120 characters; its type if it has no message.

    OpenVINO's lines that name places in its own code are left out.

    Args:
        error: Any error.

    Example:
        >>> first_line(RuntimeError("no memory\\nat line 5"))
        'no memory'
    """
    lines = [line.strip() for line in str(error).splitlines()]
    texts = [line for line in lines if line and not line.startswith(("Exception from ", "Check "))]
    return shorten(texts[0], 120, placeholder=" ...") if texts else type(error).__name__
