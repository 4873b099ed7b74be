"""The error that a user can fix, and the short form of any other, and of a process that failed."""

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


def brief(text: str, most: int = 200) -> str:
    """A text from elsewhere as it stands in a message: the beginning of a long one.

    Args:
        text: As a cell of a table or a value of a file.
        most: Characters.

    Example:
        >>> brief("images/0.png"), brief("a" * 1000, most=3)
        ('images/0.png', 'aaa ...')
    """
    return text if len(text) <= most else f"{text[:most]} ..."


def reason_of_end(code: int, output: str, remedy: str) -> str:
    """Why a process failed: its last line, or what its exit code says.

    Args:
        code: Its exit code.
        output: What it wrote.
        remedy: What to try where memory did not suffice.

    Example:
        >>> reason_of_end(2, "reading\\nno such file", "a smaller batch")
        'no such file'
    """
    if code == -9:
        return f"it was killed, most likely for want of memory: try {remedy}"
    lines = output.strip().splitlines()
    return lines[-1] if lines else f"it ended with code {code}"
