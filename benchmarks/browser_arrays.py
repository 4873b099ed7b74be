"""Arrays into a page's modules and back, without a detour through text."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from amsunet.data.images import Array

_LIBRARY = """
window.given = ({type, data}) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return type === "bytes" ? bytes : new globalThis[type](bytes.buffer);
};
window.packed = (array) => {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let start = 0; start < bytes.length; start += 32768) {
    text += String.fromCharCode(...bytes.subarray(start, start + 32768));
  }
  return {type: array.constructor.name, data: btoa(text)};
};
0;
"""
_TYPES = {
    "uint8": "Uint8Array",
    "uint16": "Uint16Array",
    "int32": "Int32Array",
    "float32": "Float32Array",
    "float64": "Float64Array",
}
_BACK = {name: kind for kind, name in _TYPES.items()} | {"Uint8ClampedArray": "uint8"}


def given(value: Array | bytes) -> dict[str, str]:
    """An argument: ``given(x)`` in the script is a typed array of its values."""
    kind = "bytes" if isinstance(value, bytes) else _TYPES[str(value.dtype)]
    data = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
    return {"type": kind, "data": base64.b64encode(data).decode()}


def taken(value: dict[str, str]) -> Array:
    """The values of ``packed(x)`` in the script, in one dimension."""
    return np.frombuffer(base64.b64decode(value["data"]), _BACK[value["type"]])


def run(page: Any, script: str, *arguments: Any) -> Any:
    """Run the body of an asynchronous function with ``$`` as its arguments.

    Errors of the page come back as ``{"code": ..., "values": ...}``.
    """
    page.evaluate(_LIBRARY)
    return page.evaluate(
        "async ($) => { try {" + script + "} catch (error) {"
        "if (!error.code) throw error; return {code: error.code, values: error.values}; } }",
        list(arguments),
    )


def decoded(page: Any, content: bytes, name: str = "image") -> Any:
    """A file by the page's decoder: (H, W, C), or the error's code and values."""
    found = run(
        page,
        "const {decode} = await import('/decode.js'); const picture = await decode(given($[0]), $[1]);"
        "return {...picture, samples: packed(picture.samples)};",
        given(content),
        name,
    )
    if "code" in found:
        return found
    return taken(found["samples"]).reshape(found["height"], found["width"], found["channels"])
