"""A server for the page on this machine: it hands out a dozen files that it holds in memory, and takes nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any

from amsunet.deployment.page_files import POLICY, START, TYPES
from amsunet.errors import InputError
from amsunet.wording import setting

HOST = "127.0.0.1"
_PATIENCE = 30
"""Seconds after which a connection is closed that sends nothing, or reads nothing."""
_AT_ONCE = 64
"""Connections; a browser opens six."""
_HEADERS = {
    "Content-Security-Policy": "; ".join(
        f"{name} {value}" for name, value in (POLICY | {"frame-ancestors": "'none'"}).items()
    ),
    # With these two a page has threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Serves files to browsers of this machine, until ``shutdown``.

    Args:
        files: The content of each file by its path, with ``index.html``.
        port: Any free one with 0.

    Raises:
        InputError: If the port is taken or may not be used.
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let two servers have one port

    def __init__(self, files: Mapping[str, bytes], port: int = 0) -> None:
        self.files = {"/": files[START]} | {f"/{path}": content for path, content in files.items()}
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"port {port} cannot be used ({reason}): choose another {setting('port')}") from None
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}

    @property
    def address(self) -> str:
        """What is typed into a browser."""
        return f"http://{HOST}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, if there is one left."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """What that thread does."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a browser that went away."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE

    def do_GET(self) -> None:
        # Another site may have its name point here, and another page may ask in the user's name.
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        if len(hosts) != 1 or hosts[0] not in self.server.names:
            self._answer(HTTPStatus.MISDIRECTED_REQUEST)
        elif any(origin.partition("://")[2] not in self.server.names for origin in origins):
            self._answer(HTTPStatus.FORBIDDEN)
        elif (content := self.server.files.get(path := self.path.partition("?")[0])) is None:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(HTTPStatus.OK, content, TYPES[PurePosixPath(path).suffix or ".html"])

    do_HEAD = do_GET  # noqa: N815 - as http.server has it

    def _refuse(self) -> None:
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse  # noqa: N815

    def _answer(self, status: HTTPStatus, content: bytes | None = None, kind: str = TYPES[".txt"]) -> None:
        if content is None:
            content = f"{status.phrase}\n".encode()
        if status != HTTPStatus.OK or self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # what may follow has not been read
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no request in the same way, without a word of it."""
        self.headers = getattr(self, "headers", None) or Message()
        self.request_version = self.protocol_version  # which it has not found yet; before HTTP/1.0 there was no status
        self._answer(HTTPStatus(code))

    def version_string(self) -> str:
        return "amsunet"

    def log_message(self, *_: Any) -> None:
        """Log nothing: what a user looks at is his own affair."""
