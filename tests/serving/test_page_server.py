"""The server of the page: files to browsers of this machine, and nothing to anybody else."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from amsunet.errors import InputError
from amsunet.serving import page_server
from amsunet.serving.page_server import PageServer

_FILES = {"index.html": b"<!doctype html>", "main.js": b"let a;", "networks/a.onnx.gz": bytes(range(256)) * 4000}


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    with PageServer(_FILES) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield running
        running.shutdown()


def _ask(server, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read(), dict(answer.headers)
    connection.close()
    return found


def _send(server, content: bytes) -> bytes:
    """What is answered to bytes that no client of HTTP would send."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    ("path", "file", "kind"),
    [
        ("/", "index.html", "text/html; charset=utf-8"),
        ("/index.html?again", "index.html", "text/html; charset=utf-8"),
        ("/main.js", "main.js", "text/javascript; charset=utf-8"),
        ("/networks/a.onnx.gz", "networks/a.onnx.gz", "application/gzip"),
    ],
)
def test_files_are_handed_out(server, path, file, kind):
    status, content, headers = _ask(server, path)
    assert (status, content, headers["Content-Type"]) == (200, _FILES[file], kind)
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Content-Encoding" not in headers and "Access-Control-Allow-Origin" not in headers
    assert headers["Server"] == "amsunet"
    assert _ask(server, path, "HEAD")[1] == b"" and _ask(server, path, "HEAD")[2]["Content-Length"] == str(len(content))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/../pyproject.toml", "/%2e%2e/main.js", "/networks", "/networks/", "/main.js/", "/./main.js",
     "/MAIN.JS", "/main.js%00", "main.js", "*", "/" + "a" * 5000],
)  # fmt: skip
def test_nothing_else_is_there(server, path):
    status, content, headers = _ask(server, path)
    assert (status, content) == (404, b"Not Found\n")
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Content-Type"].startswith("text/plain")


def test_only_this_machine_by_its_own_name_is_answered(server):
    port = server.server_port
    assert server.server_address[0] == "127.0.0.1"
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert _ask(server, Host=host)[0] == 200
        assert _ask(server, Host=host, Origin=f"http://{host}")[0] == 200
    for host in ("127.0.0.1", f"127.0.0.1:{port + 1}", f"rebound.example:{port}", f"127.0.0.1.example:{port}", ""):
        assert _ask(server, Host=host)[:2] == (421, b"Misdirected Request\n")
    for origin in ("null", "https://evil.example", f"http://evil.example:{port}", f"http://127.0.0.1:{port}.example"):
        assert _ask(server, Host=f"127.0.0.1:{port}", Origin=origin)[:2] == (403, b"Forbidden\n")
    assert b" 421 " in _send(server, b"GET / HTTP/1.0\r\n\r\n")
    twice = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n".encode()
    assert b" 421 " in _send(server, twice)
    whole = f"GET http://evil.example/main.js HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    assert b" 404 " in _send(server, whole)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_is_taken(server, method):
    status, _, headers = _ask(server, "/", method)
    assert status == 405 and headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"<script>alert(1)</script>\r\n\r\n", b" 400 "),
        (b"GET / HTTP/9.9\r\n\r\n", b" 505 "),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b" 414 "),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"BREW / HTTP/1.1\r\n\r\n", b" 501 "),
    ],
)
def test_what_is_no_request_is_refused_and_never_repeated(server, content, status):
    answer = _send(server, content)
    assert status in answer.partition(b"\r\n")[0] and b"<script" not in answer and b"aaa" not in answer
    assert b"nosniff" in answer


def test_a_body_is_not_taken_for_the_next_request(server):
    host = f"Host: 127.0.0.1:{server.server_port}\r\n".encode()
    inner = b"GET /main.js HTTP/1.1\r\n" + host + b"\r\n"
    answer = _send(server, b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 999\r\n\r\n" + inner)
    assert answer.count(b"HTTP/1.1") == 1


def test_those_who_send_nothing_make_room(monkeypatch):
    monkeypatch.setattr(page_server, "_AT_ONCE", 2)
    monkeypatch.setattr(page_server._Handler, "timeout", 0.5)
    with PageServer(_FILES) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        idle = [socket.create_connection(("127.0.0.1", server.server_port), timeout=10) for _ in range(2)]
        with pytest.raises((http.client.HTTPException, OSError)):
            for _ in range(100):  # until the two have reached their threads
                _ask(server)
        assert all(connection.recv(1) == b"" for connection in idle), "they are closed in the end"
        for connection in idle:
            connection.close()
        while True:  # until their threads have ended
            try:
                assert _ask(server)[0] == 200
                break
            except (http.client.HTTPException, OSError):
                pass
        server.shutdown()


def test_a_browser_that_goes_away_is_no_error(server, capfd):
    with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
        host = f"127.0.0.1:{server.server_port}"
        connection.sendall(f"GET /networks/a.onnx.gz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # closed at once
    assert _ask(server)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_named(server):
    with pytest.raises(InputError, match=f"port {server.server_port} cannot be used .*: choose another port"):
        PageServer(_FILES, server.server_port)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_the_command_serves_until_it_is_ended(tmp_path, number, code):
    words = [sys.executable, "-c", _COMMAND, str(tmp_path), "page", "zoo:nuclei", "--no-browser"]
    (tmp_path / "index.html").write_text('<head><meta charset="utf-8"></head>')
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)[0]
        assert "images stay on this machine" in line
        assert b"zoo:nuclei" in urllib.request.urlopen(f"{address}networks.json", timeout=60).read()
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in errors) == (code, False), errors
    finally:
        process.kill()
        process.wait()


_COMMAND = """
import functools, pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # which whoever runs tests in the background has ignored
from amsunet.deployment import page_files
folder = pathlib.Path(sys.argv.pop(1))
page_files.page_files = functools.partial(page_files.page_files, sources=folder)
from amsunet.cli import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""
