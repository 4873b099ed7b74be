"""Plots of a comparison: Dice against what networks cost, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from amsunet.data.overlay import COLOURS
from amsunet.evaluation.comparison import ComparisonRow
from amsunet.evaluation.plots import STYLE, figure_text, write_names


def pareto_plot(rows: Sequence[ComparisonRow]) -> str:
    """Plot Dice against multiply-accumulate operations, a dot for each network, as SVG."""
    front, best = [], -1.0
    for row in sorted(rows, key=lambda row: (row.macs, -row.scores["dice"].mean)):
        if row.scores["dice"].mean > best:
            best = row.scores["dice"].mean
            front.append((row.macs / 1e9, best))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.8, 4.2))
        axes = figure.add_subplot()
        axes.plot(*zip(*front, strict=True), color="#9ca3af", ls="--", lw=1, zorder=1)
        for index, row in enumerate(rows):
            x, dice = row.macs / 1e9, row.scores["dice"]
            colour = COLOURS[index % len(COLOURS)] / 255
            axes.plot([x, x], [dice.low, dice.high], color=colour, lw=1.2, alpha=0.6, zorder=2)
            axes.scatter(x, dice.mean, 40 + row.parameters / 2e4, color=colour, alpha=0.85, zorder=3)
        axes.set(xlabel="multiply-accumulate operations of a 256 x 256 image, billions", ylabel="Dice")
        axes.margins(x=0.12, y=0.12)
        write_names(axes, {row.variant.name: (row.macs / 1e9, row.scores["dice"].mean) for row in rows})
        return figure_text(figure)


def family_plot(rows: Sequence[ComparisonRow]) -> str:
    """Plot Dice against latency, a curve for each family of networks through its sizes, with intervals, as SVG.

    Where a step of each network was timed, Dice against its time stands beside it.
    """
    families: dict[str, list[ComparisonRow]] = {}
    for row in rows:
        families.setdefault(row.variant.family, []).append(row)
    axes_of = {"milliseconds for an image of 256 x 256": [row.latency for row in rows]}
    if all(row.seconds_per_step is not None for row in rows):
        axes_of["milliseconds for a step of training"] = [row.seconds_per_step or 0.0 for row in rows]
    names = [row.variant.name for row in rows]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.8, 4.2))
        panels = figure.subplots(1, len(axes_of), sharey=True, squeeze=False)[0]
        for axes, (label, seconds) in zip(panels, axes_of.items(), strict=True):
            time = {name: 1e3 * value for name, value in zip(names, seconds, strict=True)}
            axes.set(xscale="log", xlabel=label)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.margins(x=0.2, y=0.12)
            for index, members in enumerate(families.values()):
                _draw_family(axes, sorted(members, key=lambda row: time[row.variant.name]), time, index)
            write_names(axes, {row.variant.name: (time[row.variant.name], row.scores["dice"].mean) for row in rows})
        panels[0].set(ylabel="Dice")
        return figure_text(figure)


def _draw_family(axes: Axes, members: Sequence[ComparisonRow], time: Mapping[str, float], index: int) -> None:
    """The sizes of a family, fastest first."""
    colour = COLOURS[index % len(COLOURS)] / 255
    dice = [row.scores["dice"] for row in members]
    x, means = [time[row.variant.name] for row in members], [one.mean for one in dice]
    axes.plot(x, means, color=colour, lw=1.4, marker="o", ms=6)
    for place, one in zip(x, dice, strict=True):
        axes.plot([place, place], [one.low, one.high], color=colour, lw=1.2, alpha=0.6)
