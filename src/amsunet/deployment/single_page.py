"""The page as one HTML file that opens without a server, with everything inside; it reaches nothing outside.

Modules become ``data:`` addresses: those of the page by an import map, those of its worker one within the other, for a
worker has no import map. What is no text of the page itself lies in it as base64, where ``resources.js`` looks for it.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from amsunet.deployment.page_files import ENCODING, POLICY, START, TYPES, with_policy

WORKER = "worker.js"
_CODE = (".js", ".mjs")
_PREFIX = "page/"
"""Before the names of modules in the import map: they must not look like paths."""
_IMPORT = re.compile(r'(\b(?:from|import)\s*\(?\s*)"(\.{1,2}/[^"]+)"')
_DOCUMENTATION = re.compile(r"/\*\*.*?\*/", re.DOTALL)
_PLAIN = "!$&'()*+,-./:;=?@[]^_`{|}~ "
"""What a ``data:`` address may hold as it is, besides letters and digits; a text in double quotes too."""
_STYLE = re.compile(r'<link rel="stylesheet" href="([^"]+)">')
_ICON = re.compile(r'(<link rel="icon"[^>]* href=")([^"]+)"')
_MODULE = re.compile(r'<script type="module" src="([^"]+)"></script>')


def to_single_page(files: Mapping[str, bytes]) -> bytes:
    """Put all files of the page into one.

    Args:
        files: As ``page_files`` gives them.

    Returns:
        The HTML file.
    """
    page = _text(files[START])
    inlined: list[str] = []
    started: list[str] = []

    def inline(element: str, text: str, attributes: str = "") -> str:
        inlined.append(text)
        return f"<{element}{attributes}>{text}</{element}>"

    def style(link: re.Match[str]) -> str:
        return inline("style", _text(files[link[1]]))

    def module(script: re.Match[str]) -> str:
        started.append(posixpath.normpath(script[1]))
        return inline("script", f'import "{_PREFIX}{started[-1]}";', ' type="module"')

    page = _STYLE.sub(style, page)
    page = _ICON.sub(lambda icon: f'{icon[1]}{_data_address(icon[2], files[icon[2]])}"', page)
    page = _MODULE.sub(module, page)
    modules = ",\n".join(
        f'"{_PREFIX}{path}":"{_code_address(_with_imports(path, files, lambda to: _PREFIX + to))}"'
        for path in _reached(started, files)
    )
    page = page.replace(f"{ENCODING}\n", "", 1)
    import_map = inline("script", f'{{"imports":{{{modules}}}}}', ' type="importmap"')
    page = page.replace("<head>", f"<head>\n{ENCODING}\n{import_map}", 1)  # before the first module
    page = page.replace("</body>", f"{_enclosed(files)}\n</body>", 1)
    return with_policy(page, _policy(inlined)).encode()


def _enclosed(files: Mapping[str, bytes]) -> str:
    """Elements that hold what the page loads while it runs, with checksums; they are never run themselves."""
    loaded = {path: content for path, content in files.items() if not path.endswith((*_CODE, ".css", ".html"))}
    if WORKER in files:
        loaded[WORKER] = _nested(WORKER, files).encode()
    return "\n".join(
        f'<script type="application/octet-stream;base64" id="file:{path}"'
        f' data-sha256="{hashlib.sha256(content).hexdigest()}">{_base64(content)}</script>'
        for path, content in sorted(loaded.items())
    )


def _reached(paths: list[str], files: Mapping[str, bytes]) -> list[str]:
    """Modules with all that they import, each once."""
    reached: dict[str, None] = {}
    waiting = [*paths]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached[path] = None
            _with_imports(path, files, lambda to: waiting.append(to) or "")  # type: ignore[func-returns-value]
    return sorted(reached)


def _nested(path: str, files: Mapping[str, bytes]) -> str:
    """The text of a module that holds all that it imports."""
    return _with_imports(path, files, lambda to: _code_address(_nested(to, files)))


def _with_imports(path: str, files: Mapping[str, bytes], name: Callable[[str], str]) -> str:
    """The text of a module that imports others by other names, without its documentation.

    Args:
        path: Of the module.
        files: All of the page; a module of somebody else imports nothing and stays as it is.
        name: Gives the name of another module by its path.
    """
    text = files[path].decode("utf-8")
    if path.startswith("vendor/"):
        return text

    def renamed(found: re.Match[str]) -> str:
        return f'{found[1]}"{name(posixpath.normpath(posixpath.join(posixpath.dirname(path), found[2])))}"'

    return _IMPORT.sub(renamed, _DOCUMENTATION.sub("", text))


def _code_address(text: str) -> str:
    """A ``data:`` address of a module. As text and not as base64: one within another then grows by little."""
    return f"data:text/javascript;charset=utf-8,{quote(text, safe=_PLAIN)}"


def _data_address(path: str, content: bytes) -> str:
    return f"data:{TYPES[PurePosixPath(path).suffix].partition(';')[0]};base64,{_base64(content)}"


def _policy(inlined: list[str]) -> dict[str, str]:
    """Of the page as a file: what stands in it runs, and nothing else, and it reaches nothing."""
    hashes = " ".join(f"'sha256-{_base64(hashlib.sha256(text.encode()).digest())}'" for text in inlined)
    return POLICY | {
        "script-src": f"{hashes} data: 'wasm-unsafe-eval'",
        "worker-src": "data:",
        "style-src": hashes,
        "img-src": "data: blob:",
        "connect-src": "'none'",
    }


def _text(content: bytes) -> str:
    """With line ends as a browser reads them: checksums are of what it reads."""
    return content.decode("utf-8").replace("\r\n", "\n")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
