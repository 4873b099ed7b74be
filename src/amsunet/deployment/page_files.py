"""What the page is made of: its files by their paths. A folder, a single file and a server hand out the same ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from amsunet.data.builtin_samples import PREFIX, locate
from amsunet.errors import InputError
from amsunet.inference.onnx_metadata import MACS, read_onnx_metadata
from amsunet.zoo import Card

SOURCES = Path(__file__).parents[1] / "page"
START = "index.html"
ENCODING = '<meta charset="utf-8">'
"""The first line of its head."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}
"""Of what the page may hold; other files in the folder of its sources are not part of it."""
POLICY = {
    "default-src": "'none'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "worker-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
"""Content security policy of the page: nothing comes from, and nothing goes to, any other place than its own."""
_META = re.compile(r'\s*<meta http-equiv="Content-Security-Policy"[^>]*>')
_TILE = 128
_TILES = ((256, 256), (256, 384), (384, 256), (384, 384))
"""Upper left corners of those of ``sample:nuclei`` that are put together to one image again."""


@dataclass(frozen=True)
class PageNetwork:
    """A network that is to be in the page."""

    name: str
    path: Path
    """Its ONNX file, as ``amsunet export`` writes it."""
    card: Card | None = None


def page_files(networks: Sequence[PageNetwork], *, sources: Path = SOURCES, level: int = 9) -> dict[str, bytes]:
    """Collect all files of the page.

    Args:
        networks: Those to choose from; the first one is chosen when it opens.
        sources: The folder of the page's own files.
        level: How hard gzip tries, from 1 to 9.

    Returns:
        The content of each file by its path, with ``index.html``, ``networks.json`` and ``examples.json``.

    Raises:
        InputError: If the package holds no page, or a network is no ONNX file.
    """
    if not (sources / START).is_file():
        raise InputError(f"{sources / START} is missing: install amsunet again, which it comes with")
    files = {
        path.relative_to(sources).as_posix(): path.read_bytes()
        for path in sorted(sources.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }
    files[START] = with_policy(files[START].decode("utf-8"), POLICY).encode()
    entries = []
    for network in networks:
        entry, packed = _pack(network, level)
        entries.append(entry)
        files[entry["file"]] = packed
    pictures, examples = _examples()
    return files | pictures | {"networks.json": _json(entries), "examples.json": _json(examples)}


def with_policy(page: str, policy: Mapping[str, str]) -> str:
    """An HTML page with this content security policy, in place of the one that it may have."""
    text = "; ".join(f"{name} {value}" for name, value in policy.items())
    head, found, rest = _META.sub("", page).partition(ENCODING)
    assert found, "the page begins with its encoding"
    return f'{head}{found}\n<meta http-equiv="Content-Security-Policy" content="{text}">{rest}'


def _pack(network: PageNetwork, level: int) -> tuple[dict[str, Any], bytes]:
    """The entry of a network in networks.json, and its file as the page takes it."""
    content = network.path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    entry = {
        "name": network.name,
        "file": f"networks/{digest[:12]}.onnx.gz",
        "sha256": digest,
        "bytes": len(content),
        "card": None if network.card is None else network.card.model_dump(mode="json", exclude={"seen", "thumbnails"}),
        "work": int(read_onnx_metadata(network.path).get(MACS, 0)),
    }
    return entry, gzip.compress(content, level, mtime=0)


def _examples() -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Images to try the page with, and what is to be known of them: where they lie, which networks they are for, a mask
    to compare with, and their terms.
    """
    brain = locate(f"{PREFIX}brain") / "test"
    image, mask = (sorted((brain / kind).iterdir())[0].read_bytes() for kind in ("images", "masks"))
    files = {
        "examples/nuclei.png": _joined_tiles("images"),
        "examples/nuclei_mask.png": _joined_tiles("masks"),
        "examples/brain.png": image,
        "examples/brain_mask.png": mask,
    }
    terms = {
        "nuclei": "BBBC038v1 (Caicedo et al., Nature Methods 2019), CC0 1.0",
        "brain": "ICBM 152, Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal "
        "Neurological Institute, McGill University",
    }
    return files, [
        {
            "name": name,
            "file": f"examples/{name}.png",
            "mask": f"examples/{name}_mask.png",
            "networks": ["zoo:nuclei", "zoo:nuclei_lite"] if name == "nuclei" else [],
            "terms": text,
        }
        for name, text in terms.items()
    ]


def _joined_tiles(kind: str) -> bytes:
    """Neighbouring tiles of ``sample:nuclei`` as one image; they were cut from one."""
    sample = locate(f"{PREFIX}nuclei")
    top, left = _TILES[0]
    whole = Image.new("L", (2 * _TILE, 2 * _TILE))
    for row, column in _TILES:
        (path,) = sample.glob(f"*/{kind}/nuclei_y{row:03}_x{column:03}.png")
        with Image.open(path, formats=("PNG",)) as tile:
            whole.paste(tile, (column - left, row - top))
    content = io.BytesIO()
    whole.save(content, "PNG")
    return content.getvalue()


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
