"""Firefox, driven by its own protocol (Marionette): messages of JSON with their length before them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
_SETTINGS = {
    "marionette.port": 0,  # any free one
    # A proxy that is not there: neither the page nor the browser reaches anything.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
}


class Firefox:
    """A browser without a window, with a profile of its own, until ``close``."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        profile = Path(self._profile.name)
        lines = (f'user_pref("{name}", {json.dumps(value)});\n' for name, value in _SETTINGS.items())
        (profile / "user.js").write_text("".join(lines))
        words = [str(FIREFOX), "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
        home = os.environ | {"HOME": str(profile)}  # as root it opens none of another user
        self._process = subprocess.Popen(words, env=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._socket: socket.socket | None = None
        self._number = 0
        try:
            self._socket = self._connect(profile / "MarionetteActivePort")
            self._receive()  # who it is
            self._call("WebDriver:NewSession", {})
        except BaseException:
            self.close()
            raise

    def _connect(self, port: Path) -> socket.socket:
        for _ in range(600):
            if port.exists() and (text := port.read_text()):
                return socket.create_connection(("127.0.0.1", int(text)), timeout=180)
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        raise RuntimeError("Firefox did not start")

    def open(self, address: str) -> None:
        self._call("WebDriver:Navigate", {"url": address})

    def evaluate(self, script: str) -> Any:
        """What the body of a function returns in the page."""
        answer = self._call("WebDriver:ExecuteScript", {"script": script, "args": [], "sandbox": None})
        return answer["value"]

    def wait_for(self, script: str, seconds: float = 180) -> Any:
        """The first value of a script that is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, f"{script} stayed {value!r}"
            time.sleep(0.2)
        return value

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in an input."""
        found = self._call("WebDriver:FindElement", {"using": "css selector", "value": selector})
        (element,) = found["value"].values()
        self._call("WebDriver:ElementSendKeys", {"id": element, "text": str(file)})

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._process.kill()
        self._process.wait()
        self._profile.cleanup()

    def _call(self, command: str, parameters: dict[str, Any]) -> Any:
        assert self._socket is not None
        self._number += 1
        content = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(content), content))
        _, _, error, result = self._receive()
        if error:
            raise RuntimeError(f"{command}: {error['message']}")
        return result

    def _receive(self) -> Any:
        assert self._socket is not None
        digits = b""
        while (digit := self._socket.recv(1)) not in (b":", b""):
            digits += digit
        content = b""
        while len(content) < int(digits) and (part := self._socket.recv(int(digits) - len(content))):
            content += part
        return json.loads(content)
