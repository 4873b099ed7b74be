"""What a user sets of a data set, checked in the call that has it."""

from __future__ import annotations

import pytest

from amsunet.data.masks import MaskOptions
from amsunet.data.options import DataOptions
from amsunet.errors import InputError


def test_what_is_left_out_is_found_out():
    options = DataOptions()
    assert options.masks == MaskOptions() and not options.masks.given_values
    assert (options.group, options.skip_broken, options.test_fraction, options.splits) == (None, False, 0.2, None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"skip_brokn": True}, "there is no option 'skip_brokn' of data: did you mean skip_broken"),
        ({"masks": {"clases": (0, 1)}}, "there is no option 'clases' of data: did you mean classes"),
        ({"wings": 2}, "there is no option 'wings' of data: group, skip_broken"),
        ({"test_fraction": 0.95}, r"test.fraction: .*less than or equal to 0\.9, not 0\.95"),
        ({"splits": {"a": "tset"}}, "splits: .*not tset"),
        ({"masks": {"classes": "0,grren"}}, "^(--)?classes: '0,grren' is not a list of whole numbers, or of colours"),
    ],
)
def test_a_mistake_is_refused_where_it_is_made(given, message):
    with pytest.raises(InputError, match=message):
        DataOptions(**given)


def test_options_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        DataOptions().group = "x"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clases": (0, 1)}, "there is no option 'clases' of data: did you mean classes"),
        ({"threshold": "high"}, "^(--mask-)?threshold: .*not high"),
        ({"classes": ("black", 7.5)}, "^(--)?classes: 'black,7.5' is not a list"),
    ],
)
def test_a_mistake_in_what_masks_mean_is_refused_there(given, message):
    with pytest.raises(InputError, match=message):
        MaskOptions(**given)


@pytest.mark.parametrize("classes", ["black,#FF0000", ("#000", "red"), ["rgb(0,0,0)", "#ff0000"]])
def test_colours_are_given_as_text(classes):
    assert MaskOptions(classes=classes) == MaskOptions(classes=(0, 0xFF0000), colours=True)


def test_values_as_text_are_no_colours():
    assert MaskOptions(classes="0, 128,255") == MaskOptions(classes=(0, 128, 255))
    assert MaskOptions(class_names="rim, cup").class_names == ("rim", "cup")
