"""One process at a time, where the file system can see to it."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest
from filelock import Timeout

import amsunet
from amsunet.file_lock import file_lock
from amsunet.training.run_folder import run_lock


def test_what_is_held_is_held_once(tmp_path):
    with file_lock(tmp_path / "lock") as held:
        assert held
        with pytest.raises(Timeout), file_lock(tmp_path / "lock"):
            pass
    with file_lock(tmp_path / "lock") as held:
        assert held


def _refuse(monkeypatch, number):
    def flock(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_worked_on_with_a_warning(tmp_path, monkeypatch, said, number):
    _refuse(monkeypatch, number)
    with run_lock(tmp_path / "run"):
        pass
    assert said == [
        f"warning: the file system of {tmp_path / 'run'} knows no locks: make sure that no other command writes there "
        "meanwhile"
    ]


def test_another_error_of_a_lock_is_one(tmp_path, monkeypatch):
    _refuse(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="refused"), file_lock(tmp_path / "lock"):
        pass


def test_all_locks_are_of_this_kind():
    files = Path(amsunet.__file__).parent.rglob("*.py")
    assert [path.name for path in files if "FileLock(" in path.read_text(encoding="utf-8")] == ["file_lock.py"]
