"""The volumes that were unpacked last: slices of one are asked for one after the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any

import numpy.typing as npt

from amsunet.memory import free_memory

Array = npt.NDArray[Any]
_SHARE = 8
"""A part of the free memory that is so small is left to other things by everybody who asks what is free."""


class Unpacked:
    """Arrays by key: the last one, and those before it as far as an eighth of the memory that was free holds them.

    Threads that ask for one at a time get the same one, which is unpacked once.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Array] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, unpack: Callable[[], Array]) -> Array:
        """The array that is kept, or a new one.

        Args:
            key: Of the file as it is now.
            unpack: Makes the array; other threads wait meanwhile, for they most likely want the same.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            room = free_memory() // _SHARE
            array = unpack()
            while self._kept and sum(one.nbytes for one in self._kept.values()) + array.nbytes > room:
                self._kept.popitem(last=False)
            self._kept[key] = array
            return array
