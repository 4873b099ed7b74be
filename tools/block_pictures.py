"""Draw the paper's blocks for the documentation from the real modules: what they are made of, and what they look at.

python tools/block_pictures.py docs/pictures
"""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from PIL import Image
from torch import Tensor, nn

from amsunet.blocks import AMS, AMSE, RSC
from amsunet.data.builtin_samples import locate
from amsunet.data.crops import to_tensor
from amsunet.data.images import read_image
from amsunet.inference.model_file import load_model
from amsunet.inference.predictor import Predictor
from amsunet.inference.torch_runtime import standardise
from amsunet.models import AMSUnet
from amsunet.zoo import read_card

DEPTHWISE, POINTWISE, NORM, PLAIN = "#cfe8f3", "#fde2c4", "#e3e3e3", "#ffffff"
LINE = "#333333"
Point = tuple[float, float]


class Sheet:
    """A diagram in units of a box's height: boxes, operators and arrows between them."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width * 0.42, height * 0.42))
        FigureCanvasAgg(self.figure)
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
        self.axes.axis("off")

    def box(self, x: float, y: float, text: str, colour: str = PLAIN, width: float = 2.6, height: float = 1.1) -> None:
        """A box around its middle (x, y)."""
        corner = (x - width / 2, y - height / 2)
        style = "round,pad=0,rounding_size=0.15"
        self.axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=style, fc=colour, ec=LINE, lw=0.9))
        self.text(x, y, text)

    def text(self, x: float, y: float, text: str, size: float = 8, **settings: str) -> None:
        self.axes.text(x, y, text, ha=settings.pop("ha", "center"), va="center", fontsize=size, **settings)

    def operator(self, x: float, y: float, text: str) -> None:
        self.axes.add_patch(Circle((x, y), 0.38, fc="white", ec=LINE, lw=0.9))
        self.text(x, y, text, 10)

    def arrow(self, *points: Point) -> None:
        """A line through points, with its head at the last one."""
        if len(points) > 2:
            self.axes.plot(*zip(*points[:-1], strict=True), color=LINE, lw=0.9, solid_capstyle="butt")
        style = "-|>,head_length=4,head_width=2"
        self.axes.add_patch(
            FancyArrowPatch(points[-2], points[-1], arrowstyle=style, color=LINE, lw=0.9, shrinkA=0, shrinkB=0)
        )

    def row(self, y: float, places: Sequence[tuple[float, float]]) -> None:
        """Arrows between neighbours, each given as its middle and half its width."""
        for (x, half), (after, half_after) in itertools.pairwise(places):
            self.arrow((x + half, y), (after - half_after, y))


def size_of(module: nn.Module) -> str:
    """The kernel of a convolution as it is written."""
    height, width = module.kernel_size
    return f"{height} x {width}"


def draw_ams(unit: AMS) -> Figure:
    sheet = Sheet(24, 7)
    y = 3.4
    sheet.text(0.7, y, "x", 11)
    sheet.box(3, y, f"{size_of(unit.local)}\ndepthwise", DEPTHWISE)
    sheet.box(7, y, f"{size_of(unit.atrous)}, dilated\ndepthwise", DEPTHWISE, 3)
    sheet.row(y, [(0.7, 0.35), (3, 1.3), (7, 1.5)])
    sheet.operator(17, y, "+")
    for place, pair in zip((y + 1.6, y, y - 1.6), unit.strips, strict=True):
        across, down = pair
        sheet.box(11.4, place, size_of(across), DEPTHWISE, 1.9)
        sheet.box(14.2, place, size_of(down), DEPTHWISE, 1.9)
        sheet.arrow((8.5, y), (9.4, y), (9.4, place), (10.45, place))
        sheet.arrow((12.35, place), (13.25, place))
    sheet.arrow((15.15, y), (16.62, y))
    sheet.arrow((15.15, y + 1.6), (16.5, y + 1.6), (16.75, y + 0.3))
    sheet.arrow((15.15, y - 1.6), (16.5, y - 1.6), (16.75, y - 0.3))
    sheet.arrow((9.4, y - 1.6), (9.4, y - 2.7), (17, y - 2.7), (17, y - 0.38))  # the dilated one as it is
    sheet.arrow((4.7, y), (4.7, y + 2.7), (17, y + 2.7), (17, y + 0.38))  # the plain one as it is
    sheet.text(10.8, y + 3.05, "the plain 3 x 3 as it is", 7)
    sheet.text(13.2, y - 3.05, "the dilated 3 x 3 as it is", 7)
    sheet.box(19.5, y, size_of(unit.project), POINTWISE, 1.9)
    sheet.operator(22, y, "×")
    sheet.row(y, [(17, 0.38), (19.5, 0.95), (22, 0.38), (23.6, 0.2)])
    sheet.arrow((1.35, y), (1.35, 6.85), (22, 6.85), (22, y + 0.38))
    return sheet.figure


def draw_amse(block: AMSE) -> Figure:
    sheet = Sheet(26, 6.6)
    y = 4.3
    parts = [(2.6, "BatchNorm", NORM, 2.6), (6.3, "attention", PLAIN, 2.8), (10.1, "BatchNorm", NORM, 2.6)]
    parts += [(13.6, "FFN", PLAIN, 2.4)]
    sheet.text(0.5, y, "x", 11)
    for x, text, colour, width in parts:
        sheet.box(x, y, text, colour, width)
    sheet.operator(16.4, y, "+")
    sheet.box(18.8, y, type(block.activation).__name__, PLAIN, 1.9)
    sheet.row(
        y,
        [(0.5, 0.35), *((x, width / 2) for x, _, _, width in parts), (16.4, 0.38), (18.8, 0.95), (20.6, 0.2)],
    )
    sheet.arrow((0.95, y), (0.95, 6.1), (16.4, 6.1), (16.4, y + 0.38))
    sheet.text(8.7, 6.35, "one residual over both parts", 7)
    enter, leave = block.attention.enter, block.attention.leave
    sheet.text(0.4, 2.1, "attention:", 8, ha="left")
    inner = [(4.2, size_of(enter), POINTWISE, 1.7), (6.8, "GELU", PLAIN, 1.7), (9.4, "AMS", DEPTHWISE, 1.7)]
    inner += [(12, size_of(leave), POINTWISE, 1.7)]
    wide = block.ffn.expand.out_channels // block.ffn.expand.in_channels
    sheet.text(0.4, 0.7, "FFN:", 8, ha="left")
    ffn = [(4.2, f"{size_of(block.ffn.expand)}, to {wide}C", POINTWISE, 2.8)]
    ffn += [(8.3, f"{size_of(block.ffn.depthwise)} depthwise", DEPTHWISE, 3.4), (11.9, "GELU", PLAIN, 1.7)]
    ffn += [(15.3, f"{size_of(block.ffn.project)}, back to C", POINTWISE, 3.2)]
    for height, line in ((2.1, inner), (0.7, ffn)):
        for x, text, colour, width in line:
            sheet.box(x, height, text, colour, width, 0.95)
        sheet.row(height, [(x, width / 2) for x, _, _, width in line])
    for place, (text, colour) in enumerate(
        [("a kernel for each channel", DEPTHWISE), ("mixes channels", POINTWISE), ("normalises", NORM)]
    ):
        sheet.box(19.4, 2.7 - place, "", colour, 0.8, 0.6)
        sheet.text(20.1, 2.7 - place, text, 7, ha="left")
    return sheet.figure


def draw_rsc(block: RSC) -> Figure:
    sheet = Sheet(23.4, 6.8)
    up, y, down = 4.8, 3.2, 1.5
    fewer = block.squeeze.in_channels // block.squeeze.out_channels
    sheet.text(0.6, y, "x", 11)
    sheet.box(7.5, up, f"{size_of(block.spatial)}, to one map", POINTWISE, 3.4)
    sheet.box(11.9, up, "sigmoid", PLAIN, 2)
    sheet.box(4.6, down, "mean over\nH, W", PLAIN, 2.2)
    sheet.box(8.1, down, f"{size_of(block.squeeze)}, to C/{fewer}\nReLU", POINTWISE, 2.9)
    sheet.box(11.9, down, f"{size_of(block.excite)}, to C\nsigmoid", POINTWISE, 2.9)
    for height, first in ((up, 5.8), (down, 3.5)):
        sheet.arrow((0.95, y), (1.7, y), (1.7, height), (first, height))
        sheet.operator(15.2, height, "×")
        sheet.arrow((1.7, y), (15.2, y), (15.2, height + (0.38 if height < y else -0.38)))
    sheet.row(up, [(7.5, 1.7), (11.9, 1), (15.2, 0.38)])
    sheet.row(down, [(4.6, 1.1), (8.1, 1.45), (11.9, 1.45), (15.2, 0.38)])
    sheet.text(7.5, up + 0.9, "where: a weight for each pixel", 7)
    sheet.text(8.1, down - 0.95, "what: a weight for each channel", 7)
    sheet.operator(18.2, y, "×")
    sheet.arrow((15.58, up), (18.2, up), (18.2, y + 0.38))
    sheet.arrow((15.58, down), (18.2, down), (18.2, y - 0.38))
    sheet.operator(20.8, y, "+")
    sheet.row(y, [(18.2, 0.38), (20.8, 0.38), (22.8, 0.2)])
    sheet.arrow((0.95, y), (1.2, y), (1.2, 6.3), (20.8, 6.3), (20.8, y + 0.38))
    sheet.text(10.6, 6.55, "the skip connection itself", 7)
    return sheet.figure


def draw_network(network: AMSUnet) -> Figure:
    """Encoder down the left, decoder up the right, with the shapes that an image of 256 x 256 has in it."""
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda module, inputs, output: shapes.__setitem__(name, tuple(output.shape[1:]))

    hooks = [network.stem.register_forward_hook(keep("0"))]
    hooks += [down.register_forward_hook(keep(str(i + 1))) for i, down in enumerate(network.downs)]
    hooks += [up.register_forward_hook(keep(f"up{3 - i}")) for i, up in enumerate(network.ups)]
    with torch.no_grad():
        classes = network.eval()(torch.zeros(1, 3, 256, 256)).shape[1]
    for hook in hooks:
        hook.remove()
    dilations = [network.stem[-1].attention.mixer.atrous.dilation[0]]
    dilations += [down[-1].attention.mixer.atrous.dilation[0] for down in network.downs]
    sheet = Sheet(26, 13)
    heights = [11, 8.6, 6.2, 3.8, 1.4]

    def label(name: str) -> str:
        channels, height, width = shapes[name]
        return f"{channels} x {height} x {width}"

    for stage, height in enumerate(heights):
        x = 6 + 1.1 * stage
        sheet.box(x, height, f"AMSE, dilation {dilations[stage]}\n{label(str(stage))}", DEPTHWISE, 4.2, 1.3)
        if stage < 4:
            sheet.arrow((x + 0.5, height - 0.65), (x + 0.5, heights[stage + 1] + 0.65))
            sheet.text(x - 0.2, height - 1.2, "BatchNorm, 2 x 2, stride 2", 7, ha="right")
            right = 20 - 1.1 * stage
            sheet.box((x + right) / 2, height, "RSC", POINTWISE, 1.7)
            sheet.arrow((x + 2.1, height), ((x + right) / 2 - 0.85, height))
            sheet.arrow(((x + right) / 2 + 0.85, height), (right - 2.1, height))
            sheet.box(right, height, f"join, 1 x 1, AMSE\n{label(f'up{stage}')}", DEPTHWISE, 4.2, 1.3)
            if stage < 3:
                sheet.arrow((right - 0.5, heights[stage + 1] + 0.65), (right - 0.5, height - 0.65))
            sheet.text(right + 0.2, height - 1.2, "BatchNorm, upsample x 2", 7, ha="left")
    sheet.arrow((12.5, 1.4), (16.2, 1.4), (16.2, heights[3] - 0.65))
    sheet.text(1.2, 11, "image", 8)
    sheet.text(3.2, 12.1, "3 x 3, BatchNorm, GELU", 7)
    sheet.arrow((2.1, 11), (3.9, 11))
    sheet.arrow((22.1, 11), (23.6, 11))
    sheet.text(24.8, 11.3, f"{classes} logits", 8)
    sheet.text(24.8, 10.7, "(1 x 1)", 7)
    return sheet.figure


def draw_fields() -> Figure:
    """How many ways lead from a pixel to the middle of what AMS multiplies by: every weight 1, no bias."""
    figure = Figure(figsize=(7.2, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, dilation in zip(figure.subplots(1, 3), (1, 3, 5), strict=True):
        unit = AMS(1, dilation)
        with torch.no_grad():
            for name, value in unit.named_parameters():
                value.fill_(float("weight" in name))
        x = torch.zeros(1, 1, 31, 31, requires_grad=True)
        heard: list[Tensor] = []
        unit.project.register_forward_hook(lambda module, inputs, output, heard=heard: heard.append(output))
        unit(x)
        heard[0][0, 0, 15, 15].backward()
        ways = x.grad[0, 0].numpy()
        reach = np.flatnonzero(ways.any(axis=0))
        image = axes.imshow(np.where(ways > 0, ways, np.nan), cmap="viridis", norm=LogNorm(1, 300))
        axes.set(title=f"dilation {dilation}: {len(reach)} pixels", xticks=[], yticks=[])
    figure.colorbar(image, ax=figure.axes, label="ways to the middle", shrink=0.8)
    return figure


def look() -> tuple[np.ndarray, list[tuple[str, Tensor]], list[tuple[str, Tensor]]]:
    """A test tile of the nuclei sample, what AMS multiplies by in the encoder, and RSC's gates over space, as the
    network of the zoo has them.
    """
    card = read_card("nuclei")
    path = locate("sample:nuclei") / "test" / "images" / "nuclei_y128_x384.png"
    network, known = load_model(card.weights)
    (seen,) = Predictor("zoo:nuclei").prepare(read_image(path), path.stem).views.values()
    attention: list[tuple[str, Tensor]] = []
    gates: list[tuple[str, Tensor]] = []
    for name, module in network.named_modules():
        if isinstance(module, AMS) and not name.startswith("ups"):
            module.project.register_forward_hook(
                lambda m, i, output: attention.append(("", output.abs().mean(dim=1)[0]))
            )
        elif isinstance(module, RSC):
            module.spatial.register_forward_hook(lambda m, i, output: gates.append(("", torch.sigmoid(output[0, 0]))))
    with torch.no_grad():
        network(standardise(to_tensor(np.moveaxis(seen, 0, 2))[None].float() / 255, known.preprocessing))
    dilations = (1, 1, 1, 3, 5)
    named = [(f"stage {n}, dilation {d}", m) for n, (d, (_, m)) in enumerate(zip(dilations, attention, strict=True), 1)]
    return seen[0], named, [(f"skip {4 - n}", gate) for n, (_, gate) in enumerate(gates)][::-1]


def draw_maps(image: np.ndarray, maps: Sequence[tuple[str, Tensor]], limits: tuple[float, float] | None) -> Figure:
    """A grey image and maps of any size beside it."""
    figure = Figure(figsize=(1.75 * (len(maps) + 1), 2.0), layout="constrained")
    FigureCanvasAgg(figure)
    first, *others = figure.subplots(1, len(maps) + 1)
    _show(first, image, "image", "gray", None)
    for axes, (title, values) in zip(others, maps, strict=True):
        drawn = _show(axes, values.numpy(), title, "magma", limits)
    if limits is not None:
        figure.colorbar(drawn, ax=others, shrink=0.8)
    return figure


def _show(axes: Axes, values: np.ndarray, title: str, colours: str, limits: tuple[float, float] | None) -> object:
    low, high = limits or (None, None)
    axes.set_title(title, fontsize=8)
    axes.axis("off")
    return axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation="nearest")


def save(figure: Figure, path: Path) -> None:
    """As PNG of few colours, which diagrams and maps need no more of."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    Image.open(drawn, formats=["PNG"]).convert("RGB").quantize(160).save(path, optimize=True)


def draw() -> dict[str, Figure]:
    """Every picture by its name."""
    image, attention, gates = look()
    return {
        "ams": draw_ams(AMS(32, dilation=3)),
        "ams_field": draw_fields(),
        "ams_attention": draw_maps(image, attention, None),
        "amse": draw_amse(AMSE(32)),
        "rsc": draw_rsc(RSC(32)),
        "rsc_gates": draw_maps(image, gates, (0, 1)),
        "amsunet": draw_network(AMSUnet()),
    }


def main(target: str) -> None:
    folder = Path(target)
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in draw().items():
        save(figure, folder / f"{name}.png")
        print(f"{folder / name}.png: {(folder / f'{name}.png').stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main(*sys.argv[1:])
