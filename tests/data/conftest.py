"""What several tests of data need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from amsunet.data.dataset import Dataset, open_dataset
from amsunet.wording import spelled_for


@pytest.fixture(autouse=True)
def typed_into_a_shell() -> Iterator[None]:
    """What is refused here is read by users of the command line; ``test_wording`` has the same in Python."""
    with spelled_for("shell"):
        yield


_opened = cache(open_dataset)


@pytest.fixture
def opened(shared: Callable[[str], Path]) -> Callable[[str], Dataset]:
    """A public data set, scanned once for all who ask for it."""
    return lambda name: _opened(shared(name))


@pytest.fixture
def touch_pairs(tmp_path: Path) -> Callable[[Iterable[str]], Path]:
    """Make empty files images/NAME.png and masks/NAME.png, for what looks at names alone."""

    def touch(names: Iterable[str]) -> Path:
        for name in names:
            for folder in ("images", "masks"):
                path = tmp_path / folder / f"{name}.png"
                path.parent.mkdir(exist_ok=True)
                path.touch()
        return tmp_path

    return touch
