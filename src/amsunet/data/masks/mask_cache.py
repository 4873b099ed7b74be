"""Mask files kept in memory between the questions that are asked of them before a training: each is decoded once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from amsunet.data.containers import is_outlined
from amsunet.data.discovery.sample import Sample
from amsunet.data.images import Array
from amsunet.data.masks.files import MaskFile, read_region
from amsunet.data.masks.joined import open_sample_mask
from amsunet.memory import MemoryCache


class MaskCache:
    """Opens the masks of samples and keeps what their files hold, as far as there is room."""

    def __init__(self) -> None:
        self._files: MemoryCache[Hashable, MaskFile] = MemoryCache(_bytes_of)

    def __reduce__(self) -> tuple[type[MaskCache], tuple[()]]:
        return MaskCache, ()  # a copy, and what another process gets, is empty

    def open(self, sample: Sample, name: str, *, apart: bool = False) -> MaskFile:
        """As ``open_sample_mask``. The arrays are not to be written to."""
        key = _key(sample, name, apart)
        return self._files.get(key, lambda: _compact(open_sample_mask(sample, name, apart=apart)))

    def region(self, path: Path) -> Array:
        """As ``read_region``."""
        return self._files.get(path, lambda: _compact(MaskFile(read_region(path)))).pixels

    def drop(self, sample: Sample) -> None:
        """Free what is kept of a sample."""
        for name in sample.masks:
            for apart in (False, True):
                self._files.drop(_key(sample, name, apart))
        if sample.roi is not None:
            self._files.drop(sample.roi)

    def clear(self) -> None:
        """Free all that is kept."""
        self._files.clear()


def _key(sample: Sample, name: str, apart: bool) -> Hashable:
    more = sample.more_masks.get(name, ())
    return (sample.masks[name], *more, apart and (bool(more) or is_outlined(sample.masks[name])))


def _compact(file: MaskFile) -> MaskFile:
    """The file without what its arrays are views of, for one channel of a picture would keep all of them."""
    alpha = None if file.alpha is None else np.ascontiguousarray(file.alpha)
    compact = replace(file, pixels=np.ascontiguousarray(file.pixels), alpha=alpha)
    for array in _arrays(compact):
        array.setflags(write=False)  # it is shared by all that open the mask
    return compact


def _arrays(file: MaskFile) -> Iterator[Array]:
    yield from (array for array in (file.pixels, file.palette, file.alpha) if array is not None)


def _bytes_of(file: MaskFile) -> int:
    return sum(array.nbytes for array in _arrays(file))
