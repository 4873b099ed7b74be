"""The speeds of networks as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from speeds import Row, Speeds

from amsunet.atomic_io import atomic_write
from amsunet.data.overlay import COLOURS

_COLOUR_OF = {name: COLOURS[i] / 255 for name, i in (("float32", 6), ("bfloat16", 1), ("float16", 2), ("int8", 4))}
_STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "ytick.major.size": 0,
}


def draw_speeds(speeds: Speeds, path: Path) -> None:
    """Milliseconds for one image, a row of panels for each network and a column for each size and batch, as PNG or SVG.

    The panels of a column share their axis. A bar says its milliseconds, and how many times as fast as plain torch
    that is.
    """
    rows = list(speeds.rows.values())
    if not rows:
        return
    networks = list(dict.fromkeys(row.network for row in rows))
    shapes = list(dict.fromkeys((row.size, row.batch) for row in rows))
    of_panel = {
        (network, shape): [row for row in rows if row.network == network and (row.size, row.batch) == shape]
        for network in networks
        for shape in shapes
    }
    lines = [max(len(of_panel[network, shape]) for shape in shapes) for network in networks]
    with mpl.rc_context(_STYLE):
        figure = Figure(
            figsize=(1.8 + 4.2 * len(shapes), 1.0 + sum(0.19 * count + 0.35 for count in lines)), layout="constrained"
        )
        places = figure.subplots(len(networks), len(shapes), squeeze=False, sharex="col", height_ratios=lines)
        for (network, shape), axes in zip(of_panel, places.flat, strict=True):
            _draw_panel(axes, speeds, of_panel[network, shape])
            axes.set_title(Path(network).name)
        for axes, (size, batch) in zip(places[-1], shapes, strict=True):
            axes.set_xlabel(f"milliseconds for one image of {size} x {size}, batch {batch}")
            axes.margins(x=0.25)
            axes.set_xlim(left=0)
        precisions = list(dict.fromkeys(row.precision for row in rows))
        figure.legend(
            handles=[Patch(color=_COLOUR_OF[name], label=name) for name in precisions],
            loc="outside upper right",
            ncols=len(precisions),
            frameon=False,
        )
        with atomic_write(path) as partial:
            figure.savefig(partial, dpi=150)


def _draw_panel(axes: Axes, speeds: Speeds, rows: list[Row]) -> None:
    bars = axes.barh(
        range(len(rows)),
        [1e3 * row.seconds / row.batch for row in rows],
        color=[_COLOUR_OF[row.precision] for row in rows],
        height=0.75,
    )
    axes.bar_label(bars, [_label(speeds, row) for row in rows], padding=3, fontsize=7)
    axes.set_yticks(range(len(rows)), [row.runtime for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(labelbottom=True)


def _label(speeds: Speeds, row: Row) -> str:
    times = speeds.figures(row)["times_as_fast_as_eager"]
    milliseconds = 1e3 * row.seconds / row.batch
    told = f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"
    return told + (f"  ({times:.1f} times as fast)" if times and times != 1 else "")
