"""The page as a folder, as one file and from the package: the same files, and none of them calls anywhere."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import threading
import zlib

import numpy as np
import pytest
from click.testing import CliRunner
from firefox import FIREFOX, Firefox
from PIL import Image

import amsunet
from amsunet.cli import cli
from amsunet.data.builtin_samples import locate
from amsunet.deployment.page_files import SOURCES, START, PageNetwork, page_files
from amsunet.deployment.single_page import to_single_page
from amsunet.deployment.web import export_web, networks_of
from amsunet.errors import InputError
from amsunet.inference.export_checksum import append_checksum
from amsunet.inference.model_ref import ModelRef
from amsunet.serving.page_server import PageServer
from amsunet.zoo import list_zoo, read_card

_HEAD = """<!doctype html><html lang="en"><head>
<meta charset="utf-8">
<title>made</title>
<link rel="icon" href="icon.svg">
<link rel="stylesheet" href="look.css">
<script type="module" src="main.js"></script>
</head><body><p id="out"></p></body></html>"""
_MADE = {
    "index.html": _HEAD,
    "look.css": "p { color: rgb(1, 2, 3); }",
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "main.js": """/** @typedef {import("./not_there.js").Nothing} Nothing */
import { left } from "./left.js";
import {
  right,
} from "./parts/right.js";
const held = document.getElementById("file:worker.js");
const address = held ? `data:text/javascript;base64,${held.textContent}` : new URL("worker.js", import.meta.url);
const worker = new Worker(address, { type: "module" });
worker.onmessage = (event) => {
  document.getElementById("out").textContent = `${left} ${right} ${event.data}`;
};
worker.postMessage("from the page");
""",
    "left.js": """import { word } from "./word.js";
export const left = `${word} "quoted" \\\\ 100 % # ü </script> <!--`;
""",
    "parts/right.js": 'export { word as right } from "../word.js";\n',
    "word.js": "globalThis.times = (globalThis.times ?? 0) + 1;\nexport const word = `word${globalThis.times}`;\n",
    "worker.js": """import { left } from "./left.js";
import { vendored } from "./vendor/other.mjs";
self.onmessage = async (event) => {
  const { right } = await import("./parts/right.js");
  self.postMessage(`${event.data} ${left} ${right} ${vendored}`);
};
""",
    "vendor/other.mjs": "export const vendored = 42;\n",
    "unused.js": "export const unused = 1;\n",
}
_SHOWN = (
    'word1 "quoted" \\ 100 % # ü </script> <!-- word1 from the page word1 "quoted" \\ 100 % # ü </script> <!-- word1 42'
)


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> PageNetwork:
    """Something that lies in the page as a network does; what is run is tested elsewhere."""
    path = tmp_path_factory.mktemp("network") / "made.onnx"
    path.write_bytes(b"")
    append_checksum(path)
    return PageNetwork("made", path, read_card("nuclei"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, network) -> dict[str, bytes]:
    """The files of a small page that has all that the inliner must deal with."""
    folder = tmp_path_factory.mktemp("sources")
    for path, text in _MADE.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "notes.rst").write_text("no part of the page")
    return page_files([network], sources=folder)


def _requests(page) -> list[str]:
    """The addresses that a browser asks for while a page is used."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def test_a_single_file_runs_and_asks_for_nothing(made, chromium, tmp_path):
    (tmp_path / "page.html").write_bytes(to_single_page(made))
    context = chromium.new_context()
    page = context.new_page()
    asked, problems = _requests(page), []
    page.on("console", lambda line: problems.append(line.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("#out:not(:empty)")
    assert page.text_content("#out") == _SHOWN
    assert page.evaluate("getComputedStyle(document.getElementById('out')).color") == "rgb(1, 2, 3)"
    assert not problems and {url.partition(":")[0] for url in asked} <= {"file", "data"}
    # Whoever writes into the page cannot have it call anywhere.
    refused = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")
    assert refused == "TypeError" and any("Content Security Policy" in line for line in problems)
    held = page.evaluate("document.getElementById('file:networks.json').textContent")
    assert base64.b64decode(held) == made["networks.json"]
    context.close()


@pytest.fixture(scope="module")
def firefox():
    if FIREFOX is None:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    browser = Firefox()
    yield browser
    browser.close()


def test_a_single_file_runs_in_firefox_too(made, firefox, tmp_path):
    (tmp_path / "page.html").write_bytes(to_single_page(made))
    firefox.open((tmp_path / "page.html").as_uri())
    assert firefox.wait_for("return document.getElementById('out').textContent") == _SHOWN


@pytest.fixture(scope="module")
def nuclei(tmp_path_factory):
    """The true page, with a true network, as one file."""
    return amsunet.export_web("zoo:nuclei", one_file=True, out=tmp_path_factory.mktemp("page") / "nuclei.html")


def test_the_whole_page_segments_in_firefox_too(nuclei, firefox, tmp_path):
    (tmp_path / "a.png").write_bytes(_example())
    firefox.open(nuclei.path.as_uri())
    firefox.choose("#files", tmp_path / "a.png")
    states = "#strip :is([data-state=done], [data-state=failed])"
    ended = firefox.wait_for(f"return document.querySelector('{states}')?.dataset.state")
    assert ended == "done"


def test_a_single_file_lets_nothing_in(made):
    page = to_single_page(made).decode()
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert len(policy) == 1
    rules = dict(rule.split(" ", 1) for rule in policy[0].split("; "))
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert "unsafe-inline" not in policy[0] and "'unsafe-eval'" not in policy[0] and "http" not in policy[0]
    assert page.index("importmap") < page.index('type="module"')
    assert "unused" not in page and "typedef" not in page
    assert page.count("<script") == page.count("</script>")


def test_the_package_is_small():
    """At most 60 MB as a wheel, which packs each file as here."""
    package = SOURCES.parent
    files = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(len(zlib.compress(path.read_bytes(), 6)) for path in files) < 60e6


def test_the_same_page_is_the_same_file(made):
    other = {
        path: content.replace(b"\n", b"\r\n") if path.endswith((".css", ".html")) else content
        for path, content in reversed(made.items())
    }
    assert to_single_page(made) == to_single_page(other)


def test_the_package_serves_it(made, chromium):
    with PageServer(made) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = chromium.new_context()
        page = context.new_page()
        asked, problems = _requests(page), []
        page.on("console", lambda line: problems.append(line.text))
        page.goto(server.address)
        page.wait_for_selector("#out:not(:empty)")
        assert page.text_content("#out") == _SHOWN and not problems
        assert page.evaluate("crossOriginIsolated"), "without it the page has one thread"
        assert all(url.startswith(server.address) for url in asked)
        context.close()
        server.shutdown()


def test_a_network_lies_in_it_with_what_is_to_be_known_of_it(made, network):
    (entry,) = json.loads(made["networks.json"])
    content = gzip.decompress(made[entry["file"]])
    assert content == network.path.read_bytes() and len(content) == entry["bytes"]
    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert entry["name"] == "made" and entry["card"]["fails"] == [*network.card.fails]
    assert "seen" not in entry["card"], "checksums of images have no place in the page"
    assert "notes.rst" not in made and made["main.js"].decode() == _MADE["main.js"]


def test_the_examples_are_real_images_with_their_terms(made):
    examples = json.loads(made["examples.json"])
    assert {path for path in made if path.startswith("examples/")} == {
        one[kind] for one in examples for kind in ("file", "mask")
    }
    assert all(one["terms"] and {*one["networks"]} <= {f"zoo:{card.name}" for card in list_zoo()} for one in examples)
    nuclei, mask = (np.asarray(Image.open(io.BytesIO(made[f"examples/nuclei{end}.png"]))) for end in ("", "_mask"))
    sample = locate("sample:nuclei")
    for kind, whole in (("images", nuclei), ("masks", mask)):
        assert whole.shape == (256, 256)
        assert np.array_equal(
            whole[128:, :128], np.asarray(Image.open(sample / "train" / kind / "nuclei_y384_x256.png"))
        )
        assert np.array_equal(
            whole[:128, 128:], np.asarray(Image.open(sample / "test" / kind / "nuclei_y256_x384.png"))
        )


def test_the_light_networks_of_the_zoo_are_offered_and_those_free_of_terms_come_first():
    networks = networks_of([])
    assert {one.name for one in networks} == {f"zoo:{name}_lite" for name in ("nuclei", "vessels", "glands", "lesions")}
    research_only = [one.card.research_only for one in networks]
    assert research_only == sorted(research_only)


@pytest.fixture
def page(made, monkeypatch):
    """The page of the package is the small one."""
    monkeypatch.setattr("amsunet.deployment.web.page_files", lambda networks: made)


def test_several_networks_are_in_one_page_in_their_order(monkeypatch, tmp_path, made):
    asked = []
    monkeypatch.setattr("amsunet.deployment.web.page_files", lambda networks: asked.extend(networks) or made)
    words = ["export", "zoo:vessels", "--to", "web", "--out", str(tmp_path / "page"), "--also", "zoo:nuclei"]
    result = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert result.exit_code == 0 and str(tmp_path / "page" / START) in result.output
    assert [one.name for one in asked] == ["zoo:vessels", "zoo:nuclei"]
    for words in (["--one-file"], ["--also", "zoo:nuclei"]):
        refused = CliRunner().invoke(cli, ["export", "zoo:nuclei", "--to", "onnx", *words])
        assert refused.exit_code == 2 and f"{words[0]} goes with --to web" in refused.output


def test_a_page_is_written_beside_its_network_or_where_it_is_wanted(page, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    single, folder = export_web("zoo:nuclei", one_file=True), export_web("zoo:nuclei", out="here")
    assert str(single.path) == "nuclei-web.html" and single.bytes == (tmp_path / "nuclei-web.html").stat().st_size
    assert str(folder.path) == f"here/{START}"
    assert {str(path.relative_to("here")): path.read_bytes() for path in folder.path.parent.rglob("*.*")} == made
    assert {path.name for path in tmp_path.iterdir()} == {"nuclei-web.html", "here"}
    (tmp_path / "there").symlink_to("here")
    assert export_web("zoo:nuclei", out="there", overwrite=True).path.is_file() and (tmp_path / "there").is_symlink()
    (tmp_path / "there").unlink()
    (tmp_path / "here" / "old.js").touch()
    assert export_web("zoo:nuclei", out="here", overwrite=True) == folder
    assert not (tmp_path / "here" / "old.js").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"nuclei-web.html", "here"}


def test_what_lies_at_its_place_stays(page, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    (tmp_path / "page.html").write_text("mine")
    for settings, message in (
        ({"out": "notes"}, "notes holds other files: choose another out"),
        ({"out": "notes", "overwrite": True}, "notes holds other files: choose another out"),
        ({"out": "page.html"}, "page.html is a file: name a folder with out, or set one_file=True"),
        ({"out": "page.html", "one_file": True}, "page.html is there already: choose another out, or set overwrite"),
        ({"out": "notes", "one_file": True}, "notes must end in .html for one_file=True"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            export_web("zoo:nuclei", **{**settings, "out": tmp_path / settings["out"]})
    export_web("zoo:nuclei", out=tmp_path / "page")
    with pytest.raises(InputError, match="page is there already: choose another out, or set overwrite=True"):
        export_web("zoo:nuclei", out=tmp_path / "page")
    assert (tmp_path / "notes" / "a.txt").read_text() == (tmp_path / "page.html").read_text() == "mine"


def test_what_cannot_be_in_a_page_is_refused_in_a_sentence(page, tmp_path, ensemble):
    (tmp_path / "a.xml").write_text("<net/>")
    (tmp_path / "a.onnx").write_bytes(b"no network")
    damaged = bytearray(read_card("nuclei").onnx.read_bytes())
    damaged[1000] ^= 1
    (tmp_path / "b.onnx").write_bytes(damaged)
    for model, message in (
        (tmp_path / "a.xml", "is for OpenVINO, and the page runs ONNX files: name what it was made from"),
        (tmp_path / "a.onnx", "is no ONNX file or is damaged: copy it again, or export it again"),
        (tmp_path / "b.onnx", "is damaged or was changed"),
        (ensemble, "is an ensemble of networks: name one of them"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            export_web(model, out=tmp_path / "page")
    with pytest.raises(InputError, match="a page has no int8: choose one of float32, float16"):
        export_web("zoo:nuclei", precision="int8", out=tmp_path / "page")
    assert not (tmp_path / "page").exists()
    with pytest.raises(InputError, match=r"index\.html is missing: install amsunet again"):
        page_files([], sources=tmp_path)


def test_a_run_is_exported_once(page, whole, run, captured_once, said):
    pytest.importorskip("onnxscript", reason='needs pip install "amsunet[export]"')
    with captured_once():
        (network,) = networks_of([ModelRef.resolve(run)])
        assert export_web(run).path == run / "export" / "web" / START
        assert export_web(run, one_file=True).path == run / "export" / "web.html"
        assert export_web(run).path.is_file(), "in a run its own page is replaced"
    assert network.path == run / "export" / "float32.onnx" and network.card is None
    assert sum("logits differ" in line for line in said) == 1


def test_the_whole_page_is_one_file_that_segments(nuclei, chromium):
    """On its example; everything it asks for lies in it."""
    assert nuclei.bytes < 15e6
    context = chromium.new_context()
    page = context.new_page()
    asked, problems = _requests(page), []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(nuclei.path.as_uri())
    page.set_input_files("#files", files=[{"name": "a.png", "mimeType": "image/png", "buffer": _example()}])
    page.wait_for_selector('[data-state="done"]', timeout=120_000)
    assert not problems and {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
    context.close()


def _example() -> bytes:
    return (locate("sample:nuclei") / "test" / "images" / "nuclei_y256_x384.png").read_bytes()
