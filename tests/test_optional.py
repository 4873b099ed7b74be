"""Messages about what is missing name a line that works: amsunet may be on no index."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import pytest

from amsunet import optional
from amsunet.optional import describe_missing, install_command


@pytest.fixture
def installed(monkeypatch):
    """Have the installer written this down, as PEP 610 has it."""

    def write(content: object) -> None:
        class Distribution:
            @staticmethod
            def read_text(name: str) -> str | None:
                assert name == "direct_url.json"
                return content if content is None or isinstance(content, str) else json.dumps(content)

        monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Distribution)
        optional._installed_from.cache_clear()

    yield write
    optional._installed_from.cache_clear()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"url": "file:///home/me/amsunet", "dir_info": {}}, 'pip install "/home/me/amsunet[export]"'),
        (
            {"url": "file:///home/me/my%20amsunet", "dir_info": {"editable": True}},
            'pip install -e "/home/me/my amsunet[export]"',
        ),
        (
            {"url": "file:///tmp/amsunet-0.1.0-py3-none-any.whl", "archive_info": {}},
            'pip install "/tmp/amsunet-0.1.0-py3-none-any.whl[export]"',
        ),
        (
            {"url": "https://example.org/amsunet.git", "vcs_info": {"vcs": "git", "commit_id": "0"}},
            'pip install "amsunet[export] @ git+https://example.org/amsunet.git"',
        ),
        (
            {"url": "https://example.org/amsunet-0.1.0-py3-none-any.whl", "archive_info": {}},
            'pip install "amsunet[export] @ https://example.org/amsunet-0.1.0-py3-none-any.whl"',
        ),
        (None, 'pip install "amsunet[export]"'),
        ("{", 'pip install "amsunet[export]"'),
        ([], 'pip install "amsunet[export]"'),
        ({"url": "file:///a", "dir_info": None}, 'pip install "amsunet[export]"'),
    ],
)
def test_an_extra_comes_from_where_amsunet_came_from(installed, content, line):
    installed(content)
    assert install_command("export") == line
    assert describe_missing("onnx.helper") == f"onnx is not installed: {line}"


def test_the_base_is_named_without_an_extra(installed):
    installed({"url": "file:///home/me/amsunet", "dir_info": {}})
    assert describe_missing("click") == 'click is not installed: pip install "/home/me/amsunet"'
    installed(None)
    assert describe_missing("click") == "click is not installed: pip install amsunet"


def test_source_that_is_not_installed_is_installed_where_it_lies(monkeypatch):
    def distribution(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    optional._installed_from.cache_clear()
    try:
        assert install_command("train") == f'pip install -e "{Path(optional.__file__).resolve().parents[2]}[train]"'
    finally:
        optional._installed_from.cache_clear()
