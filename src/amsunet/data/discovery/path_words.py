"""Patients whose names stand in the paths of images."""

from __future__ import annotations

import re
from collections.abc import Sequence

from amsunet.data.discovery.sample import Sample


def named_in_paths(samples: Sequence[Sample], patients: Sequence[str]) -> dict[str, str]:
    """Find the patient of each sample, whose name is a whole word of its path.

    Args:
        samples: The samples of a data set.
        patients: The names of patients.

    Returns:
        The patient by sample name; empty unless every path holds exactly one.
    """
    known = {
        name
        for name in patients
        if any(letter.isdigit() for letter in name) and (len(name) > 2 or any(letter.isalpha() for letter in name))
    }
    found: dict[str, str] = {}
    for sample in samples:
        path = "/".join(sample.image.parts[-3:]).casefold()
        here = [
            n
            for n in known
            if n.casefold() in path and re.search(rf"(?<![^\W_]){re.escape(n.casefold())}(?![^\W_])", path)
        ]
        if len(here) != 1:
            return {}
        found[sample.name] = here[0]
    return found
