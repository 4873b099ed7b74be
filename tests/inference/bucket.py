"""A store as those of the cloud, for fsspec: keys and no folders, objects that are whole or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem


class Bucket(AbstractFileSystem):
    """``bucket://NAME/KEY``, kept in the folder that ``BUCKET`` names, which all processes see."""

    protocol = "bucket"
    cachable = False

    def _file(self, key: str) -> Path:
        return Path(os.environ["BUCKET"]) / key

    def _known(self, path: Path) -> dict[str, Any]:
        key, found = path.relative_to(os.environ["BUCKET"]).as_posix(), path.stat()
        if path.is_dir():
            return {"name": key, "size": 0, "type": "directory"}
        return {"name": key, "size": found.st_size, "type": "file", "ETag": str(found.st_mtime_ns)}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        there = self._file(self._strip_protocol(path))
        if not there.exists():
            raise FileNotFoundError(path)
        found = [self._known(one) for one in (sorted(there.iterdir()) if there.is_dir() else [there])]
        return found if detail else [one["name"] for one in found]

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        if "locked" in rpath:
            raise PermissionError("Access Denied")
        shutil.copy(self._file(self._strip_protocol(rpath)), lpath)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        target = self._file(self._strip_protocol(rpath))
        if "readonly" in rpath:
            raise PermissionError("Access Denied")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copy(lpath, part)
        part.replace(target)
