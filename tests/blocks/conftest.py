"""The published figures to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

_GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"


@pytest.fixture(scope="session")
def golden() -> Any:
    """Read the golden arrays of one name."""

    def read(name: str) -> dict[str, np.ndarray]:
        path = _GOLDEN / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"the golden file {path.name} does not lie beside the repository")
        with np.load(path) as file:
            return dict(file)

    return read
