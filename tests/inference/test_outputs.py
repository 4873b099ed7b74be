"""Where results lie: below the folder that was named, whatever images and classes are called."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from amsunet.data.images import write_image
from amsunet.data.masks import MaskConvention
from amsunet.errors import InputError
from amsunet.inference.inputs import InputImage, find_inputs
from amsunet.inference.outputs import Outputs, mask_paths, place_below
from amsunet.inference.predict_files import predict_files
from amsunet.inference.prediction_options import PredictionOptions

_PARTS = [
    "..",
    ".",
    "",
    "a",
    "b.c",
    "\\",
    "\0",
    "/",
    "//",
    "x y",
    "~",
    "C:",
    "\n",
    "link",
    "loop",
    "\udcff",
    "...",
    "-",
]


def _hostile() -> list[str]:
    """Seeded paths of all that leads somewhere."""
    rng = random.Random(0)
    return ["/".join(rng.choices(_PARTS, k=rng.randint(1, 6))) for _ in range(1500)]


@pytest.fixture
def out(tmp_path) -> Path:
    """A folder of results in which links lead out and around."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (out / "link").symlink_to(tmp_path / "elsewhere")
    (out / "loop").symlink_to(out / "loop")
    return out


def _convention(*names: str) -> MaskConvention:
    """Of class folders, of names that no validation has seen."""
    known = MaskConvention(kind="folders", values=(0, 1, 2), class_names=("background", "x", "y"))
    return known.model_copy(update={"class_names": ("background", *names)})


def test_whatever_names_are_all_results_lie_below_the_folder(out):
    home, kept = out.resolve(), 0
    for first, second in zip(_hostile(), reversed(_hostile()), strict=True):
        for name, classes in ((first, ("x", "y")), ("image", (first, second)), (first, (second, "y"))):
            try:
                paths = [*Outputs.of(out, name, _convention(*classes), overlay=True, probability=True)]
            except InputError:
                continue
            kept += 1
            for path in paths:
                assert path.parent.resolve().is_relative_to(home) and (path.parent.resolve() / path.name) != home
                assert "elsewhere" not in str(path.parent.resolve())
    assert kept > 100, "all names are refused: nothing was tested"


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/x", "..", ".", "link/x", "link/../x/../../y", "loop/x", "a\0b"]
)
def test_a_name_that_leads_out_is_refused(out, name):
    with pytest.raises(InputError, match="would not lie in"):
        place_below(out, name)


def test_a_folder_that_is_a_link_itself_is_fine(tmp_path, out):
    (tmp_path / "there").symlink_to(out)
    assert place_below(tmp_path / "there", "a/b.png") == tmp_path / "there" / "a" / "b.png"


def test_a_link_in_place_of_a_mask_is_replaced_and_not_followed(make_predictor, images, tmp_path):
    precious = tmp_path / "precious.png"
    precious.write_text("as it was")
    out = tmp_path / "masks"
    out.mkdir()
    (out / "a.png").symlink_to(precious)
    predict_files(
        make_predictor(), find_inputs([str(images[0] / "a.png")]), out, options=PredictionOptions(overwrite=True)
    )
    assert precious.read_text() == "as it was" and not (out / "a.png").is_symlink()


@pytest.mark.parametrize("folder", ["overlays", "probabilities", "x"])
def test_nothing_is_written_where_one_result_would_lie_elsewhere(make_predictor, images, tmp_path, folder):
    out = tmp_path / "masks"
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / folder).symlink_to(tmp_path / "elsewhere")
    predictor = make_predictor("folders", (0, 1, 2), ("background", "x", "y"))
    with pytest.raises(InputError, match=rf"masks/{folder}/a.* would not lie in"):
        predict_files(
            predictor,
            find_inputs([str(images[0])]),
            out,
            options=PredictionOptions(overlay=True, probability=True, overwrite=True),
        )
    assert [*(tmp_path / "elsewhere").iterdir()] == [] and [path.name for path in out.iterdir()] == [folder]


def test_names_that_a_caller_makes_up_are_refused_too(make_predictor, images, tmp_path):
    with pytest.raises(InputError, match="would not lie in"):
        predict_files(make_predictor(), [InputImage(images[0] / "a.png", "../../a")], tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


def test_a_segmentation_is_saved_where_it_is_named(make_predictor, images, tmp_path):
    result = make_predictor().predict(images[0] / "a.png")
    assert result.save(tmp_path / "new" / "m.png") == [tmp_path / "new" / "m.png"]
    assert mask_paths(tmp_path, "m", result.convention) == [tmp_path / "m.png"]
    write_image(tmp_path / "again.png", result.mask)
