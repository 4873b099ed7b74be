"""The documentation as a site: ``make docs`` builds it under ``build/docs``; nothing in it is loaded from outside."""

from __future__ import annotations

import re
from pathlib import Path

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

HERE = Path(__file__).parent

project = "amsunet"
author = "the amsunet project"
copyright = f"2026, {author}"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "amsunet"
html_copy_source = False
html_show_sourcelink = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Shape", "returns_style"), ("Source", "returns_style")]

# Types of other packages, whose pages are not downloaded to be linked.
nitpick_ignore_regex = [
    (r"py:.*", r"(torch|numpy|np|PIL|pathlib|collections|typing|pydantic|annotated_types)\..*|[\d.]+"),
    (r"py:.*", r"amsunet\.inference\.prediction_(plan|results)\..*"),  # what an engine is given
    (r"py:.*", r"amsunet\.data\.spacing\.parse_spacing"),  # within a type
    (
        r"py:.*",
        r"(PydanticUndefined|Path|Callable|Mapping|Sequence|Literal|Polarity|Any|Tensor|Module|Image|BaseModel|Split)",
    ),
]

_OUTSIDE = re.compile(r"(?<!!)(\[[^\]]*\])\(((?:\.\./)+[\w./-]+)\)")


def _copy_what_lies_outside(app: Sphinx, docname: str, source: list[str]) -> None:
    """Links to files of the repository, as GitHub follows them, become downloads: of a folder of results, the file that
    says what was measured; of a page outside the documentation, the page as it is.
    """
    page = Path(app.srcdir) / f"{docname}.md"

    def download(match: re.Match[str]) -> str:
        target = match[2].rstrip("/")
        if (page.parent / target / "result.json").is_file():
            target += "/result.json"
        inside = (page.parent / target).resolve().is_relative_to(HERE)
        return match[0] if inside else f"{match[1]}(path:{target})"

    source[0] = _OUTSIDE.sub(download, source[0])


def _find_by_last_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """A type is written where it is defined, and documented once, under the name that users import."""
    target = str(node.get("reftarget"))
    last = target.rpartition(".")[2]
    named = [name for name in env.domains["py"].objects if name.rpartition(".")[2] == last]
    if len(named) != 1 or ("." in target and not target.startswith("amsunet.")):
        return None
    found: Element | None = env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, "obj", named[0], node, content
    )
    return found


def setup(app: Sphinx) -> None:
    app.connect("source-read", _copy_what_lies_outside)
    app.connect("missing-reference", _find_by_last_name)
