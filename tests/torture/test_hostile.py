"""Texts and folders that are damaged or meant to do harm are read or refused in one sentence, in little memory."""

from __future__ import annotations

import json

from tally import REPEATS

_MEGABYTES = 400
"""Most that reading such small things may take, libraries that are loaded meanwhile included."""
_BATCH = 200


def _tried(run, call, words, count) -> dict:
    """Figures of all batches, each in a process of its own, whose memory is limited."""
    found = {"read": 0, "refused": 0, "crashes": [], "slow": [], "megabytes": 0, "slowest": 0.0}
    for first in range(0, count, _BATCH):
        numbers = [str(first), str(min(_BATCH, count - first))]
        done = run([*words, *numbers], {"kind": "memory", "megabytes": 1500}, call=call)
        assert done.code == 0, (first, done.code, done.err[-3000:])
        of = json.loads(done.out.splitlines()[-1])
        for name, value in of.items():
            found[name] = max(found[name], value) if name in ("megabytes", "slowest") else found[name] + value
    return found


def _note(tally, subject, found) -> None:
    tally(
        "mutated files",
        subject,
        tried=found["read"] + found["refused"] + len(found["crashes"]),
        read=found["read"],
        refused_in_one_sentence=found["refused"],
        crashes=len(found["crashes"]),
        hangs=len(found["slow"]),
        largest_megabytes=found["megabytes"],
        megabytes_over_the_bound=max(0, found["megabytes"] - _MEGABYTES),
    )


def test_mutated_descriptions_records_settings_and_tables(material, amsunet_in_fork, tally):
    words = [str(material["net"]), str(material["data"])]
    found = _tried(amsunet_in_fork, "mutated_texts:main", words, 300 * REPEATS)
    _note(tally, "descriptions, records, settings, tables", found)
    assert found["crashes"] == [] and found["slow"] == [] and found["megabytes"] < _MEGABYTES
    assert min(found["read"], found["refused"]) > 20 * REPEATS


def test_hostile_folders(material, amsunet_in_fork, tally):
    found = _tried(amsunet_in_fork, "hostile_folders:main", [str(material["data"])], 50 * REPEATS)
    _note(tally, "data folders", found)
    assert found["crashes"] == [] and found["megabytes"] < _MEGABYTES
    assert min(found["read"], found["refused"]) > 5 * REPEATS
