"""Pictures of the report."""

from __future__ import annotations

from itertools import combinations

from matplotlib.figure import Figure

from amsunet.evaluation.plots import write_names


def test_names_of_neighbouring_dots_do_not_lie_over_one_another():
    axes = Figure(figsize=(8, 4)).add_subplot()
    axes.set(xlim=(0, 10), ylim=(0, 1))
    places = {
        "amsunet": (5, 0.5),
        "convunext": (5.1, 0.5),
        "unext": (4.9, 0.51),
        "segnext": (5, 0.52),
        "unet": (9, 0.5),
    }
    names = write_names(axes, places)
    boxes = {name.get_text(): name.get_window_extent() for name in names}
    assert boxes.keys() == places.keys()
    assert not [(a, b) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])]
    assert names[0].xyann == next(name for name in names if name.get_text() == "unet").xyann, "it has room"
