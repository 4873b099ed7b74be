"""What a user can mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence: which file, what is wrong, what to do. The command line prints it and ends
    with exit code 2.

    Args:
        message: the sentence.
        code: a short name of what is wrong, where something is decided by it; no text is parsed for that.

    Example:
        >>> import amsunet
        >>> amsunet.load("runs/missing")
        Traceback (most recent call last):
        amsunet...Error: runs/missing...
    """

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code
