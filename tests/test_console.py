"""What a process of amsunet's own prints."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from amsunet import console
from amsunet.console import echo, shown
from amsunet.progress import is_shown, report, reported_to

_LOG = logging.getLogger("amsunet.training.train")


@pytest.fixture
def now(monkeypatch):
    """The time, which stands still until it is moved."""
    time = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: time[0])
    return time


def test_lines_go_to_standard_output_and_the_level_is_told(capsys):
    with shown():
        _LOG.info("on CPU")
        _LOG.warning("100% of images are grey")
        _LOG.debug("not for users")
    _LOG.info("nobody hears it")
    written = capsys.readouterr()
    assert written.out == "on CPU\nwarning: 100% of images are grey\n" and not written.err


def test_the_logger_is_left_as_it_was():
    logger = logging.getLogger("amsunet")
    before = logger.level, list(logger.handlers)
    with pytest.raises(KeyError), shown():
        assert logger.level == logging.INFO and is_shown()
        raise KeyError
    assert (logger.level, logger.handlers) == before and not is_shown()


def test_what_takes_long_is_told_in_lines_where_there_is_no_terminal(now, capsys):
    with shown():
        for _ in range(2):  # a second thing begins anew
            for done in range(1, 101):
                now[0] += 0.4
                report(done, 100, "image")
        report(1, 3, "tile")
        now[0] += 16
        report(2, 3, "tile")
    lines = [*["39 of 100 images", "77 of 100 images"] * 2, "2 of 3 tiles"]
    assert capsys.readouterr().err.splitlines() == lines


def test_steps_are_told_only_where_no_other_line_shows_that_it_goes_on(now, capsys):
    with shown():
        report(0, 100, "step")
        for done in range(1, 31):
            now[0] += 4
            if done == 6:
                _LOG.info("epoch 1")
            report(done, 100, "step", loss=0.5)
    assert capsys.readouterr().err.splitlines() == ["14 of 100 steps", "22 of 100 steps", "30 of 100 steps"]


def test_a_bar_is_drawn_on_a_terminal_and_taken_away(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with shown():
        for done in range(1, 4):
            report(done, 4, "image", loss=0.25)
            _LOG.info("a line")
    written = capsys.readouterr()
    assert written.out == "a line\n" * 3
    assert "/4 [" in written.err and written.err.endswith("\r")


def test_a_library_prints_warnings_and_nothing_else():
    """Whoever configured no logging gets what matters, on standard error, as Python has it by default."""
    code = (
        "import logging, amsunet\nfrom amsunet.progress import report\n"
        "log = logging.getLogger('amsunet.data.dataset')\n"
        "log.info('a note')\nlog.warning('masks overlap')\nreport(1, 2, 'image')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "masks overlap\n")


def test_progress_is_reported_to_one_at_a_time_and_may_end_the_work():
    seen = []

    def stop(done, total, unit, **figures):
        seen.append((done, total, unit, figures))
        raise KeyError

    with reported_to(lambda *_, **__: seen.append("outer")):
        with pytest.raises(KeyError), reported_to(stop):
            report(1, 2, "step", loss=0.5)
        report(1, 1, "tile")
        with reported_to(None):
            report(1, 1, "tile")
    assert seen == [(1, 2, "step", {"loss": 0.5}), "outer"]


def test_names_cannot_steer_the_terminal_or_add_lines(capsys):
    with shown():
        _LOG.warning("gnp.\u202e\x1b[2J is grey\nerror: disk full")
        _LOG.info("plan:\n%s", "  epochs 3\n  name \x1b[2J")
    echo("failed: a\nb\x9b31m\udcff", err=True)
    echo("one\ntwo \x07", lines=True)
    written = capsys.readouterr()
    assert written.out.splitlines() == [
        "warning: gnp.\\u202e\\x1b[2J is grey\\nerror: disk full",
        *("plan:", "  epochs 3", "  name \\x1b[2J"),
        *("one", "two \\x07"),
    ]
    assert written.err == "failed: a\\nb\\x9b31m\\udcff\n"
