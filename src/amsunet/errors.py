"""What a user can mend."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence: which file, what is wrong, what to do. The command line prints it and ends
    with exit code 2.
    """
