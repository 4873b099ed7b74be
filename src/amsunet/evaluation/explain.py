"""What a trained network looks at, as pictures: its receptive field, AMS attention, RSC gates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage
from torch import Tensor, nn

from amsunet.atomic_io import atomic_write
from amsunet.blocks import AMS, RSC
from amsunet.data.channel_files import image_name
from amsunet.data.crops import to_tensor
from amsunet.data.images import Array
from amsunet.data.overlay import draw_outlines, viewable
from amsunet.inference import SMALLEST_SIDE
from amsunet.inference.forward import to_labels
from amsunet.inference.model_file import TemperatureScaled
from amsunet.inference.model_ref import ModelRef
from amsunet.inference.predictor import Predictor
from amsunet.inference.runtime_options import RuntimeOptions
from amsunet.inference.torch_runtime import TorchRuntime, standardise
from amsunet.look import page_colour

_DPI = 300
_STYLE: dict[str, Any] = {"font.size": 8, "figure.constrained_layout.use": True, "pdf.fonttype": 42}
_LARGEST = 768
"""Side of the part of a large image that is looked at."""


def explain(
    model: str | Path | ModelRef,
    image: str | Path,
    out: str | Path,
    *,
    options: RuntimeOptions = RuntimeOptions(),  # noqa: B008 - frozen
    model_file: str | None = None,
) -> list[Path]:
    """Write pictures of what a network sees in an image, each as PNG at 300 dots an inch and as PDF.

    ``receptive_field``: how much each pixel moves the logit of the predicted class, against that of the background,
    at the crosses, the largest as 1; of any network. ``attention``: the mean over channels of ``|conv1x1(context)|``,
    what AMS multiplies its input by, of every AMS unit. ``gates``: RSC's spatial gate over the image and its channel
    gates, sorted, for every skip connection.

    Args:
        model: A run folder, a model file, or the name of a network of the zoo.
        image: Of which the middle ``768 x 768`` working pixels are used, if it is larger.
        out: The folder for the pictures.
        options: Where torch is run.
        model_file: ``FILE.py:FUNCTION``, if the model was trained with a network that is not amsunet's.

    Returns:
        The PNG files.

    Raises:
        InputError: For a model or an image that cannot be read.

    Example:
        >>> import amsunet
        >>> [path.name for path in amsunet.explain("runs/nuclei", "image.png", "explained")]
        ['receptive_field.png', 'attention.png', 'gates.png']
    """
    model = ModelRef.resolve(model)
    _ = model.weights  # an ensemble is refused before its networks are loaded
    # Gradients are taken through the weights as they were trained.
    predictor = Predictor(model, replace(options, precision="float32"), model_file=model_file)
    description, runtime = predictor.description, predictor.runtime
    assert isinstance(runtime, TorchRuntime) and isinstance(runtime.network, TemperatureScaled)
    network = runtime.network  # whose parts are named as in the network alone
    path = Path(image)
    # As it is predicted, with the polarity that is chosen for it.
    (seen,) = predictor.prepare(predictor.read(path), image_name(path), predictor.spacing_of(path)).views.values()
    prepared = _middle(np.moveaxis(seen, 0, 2))
    pixels = to_tensor(prepared)[None].to(options.choose_device().type)
    x = standardise(pixels.float() / 255, description.preprocessing)
    with _listen(network.network) as heard, torch.no_grad():
        probabilities = torch.softmax(network(x), dim=1)
    smallest = description.smallest_object * description.preprocessing.scale**2  # at working size
    labels = to_labels(probabilities[0].cpu().numpy(), description.threshold, smallest)
    shown = viewable(prepared)
    names = description.convention.class_names
    figures = {"receptive_field": _receptive_fields(network, x, shown, labels, names)}
    if heard["attention"]:
        figures["attention"] = _attention(heard["attention"], draw_outlines(prepared, labels), shown)
    if heard["spatial"]:
        figures["gates"] = _gates(heard["spatial"], heard["channel"], shown)
    return [_save(figure, Path(out), name) for name, figure in figures.items()]


def _middle(image: Array) -> Array:
    rows, columns = ((max(0, side - _LARGEST) // 2, min(side, _LARGEST)) for side in image.shape[:2])
    cut: Array = image[rows[0] : rows[0] + rows[1], columns[0] : columns[0] + columns[1]]
    return np.pad(cut, [*((0, max(0, SMALLEST_SIDE - side)) for side in cut.shape[:2]), (0, 0)], mode="edge")


@contextmanager
def _listen(network: nn.Module) -> Iterator[dict[str, list[tuple[str, Tensor]]]]:
    """Keep what AMS multiplies by and what RSC gates with while the network runs, in the order of their use."""
    heard: dict[str, list[tuple[str, Tensor]]] = {"attention": [], "spatial": [], "channel": []}

    def keep(kind: str, name: str, of: nn.Module) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            value = output.abs().mean(dim=1)[0] if kind == "attention" else torch.sigmoid(output[0])
            heard[kind].append((name, value.float().cpu()))

        return of.register_forward_hook(hook)

    handles = []
    for name, module in network.named_modules():
        if isinstance(module, AMS):
            handles.append(keep("attention", name, module.project))
        elif isinstance(module, RSC):
            handles.append(keep("spatial", name, module.spatial))
            handles.append(keep("channel", name, module.excite))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _receptive_fields(network: nn.Module, x: Tensor, shown: Array, labels: Array, names: Sequence[str]) -> Figure:
    """The gradient at three pixels that differ in class, where the image has more than one."""
    places = _places(labels)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2.2 * len(places), 2.3 * x.shape[-2] / x.shape[-1] + 0.3))
        for column, (i, j) in enumerate(places, start=1):
            image = x.clone().requires_grad_()
            logits = network(image)[0, :, i, j]
            label = max(1, int(labels[i, j]))
            (logits[label] - logits[0]).backward()
            assert image.grad is not None
            reach = image.grad[0].abs().sum(dim=0).float().cpu().numpy()
            axes = figure.add_subplot(1, len(places), column)
            title = f"{names[label]}, at {names[int(labels[i, j])]}"
            _heat(axes, figure, reach / max(float(reach.max()), 1e-30), shown, title, logarithmic=True)
            axes.plot(j, i, "+", color="white", ms=8, mew=1.2)
        return figure


def _places(labels: Array) -> list[tuple[int, int]]:
    """The middle of the image, and of the two largest classes the pixel deepest inside."""
    places = [(labels.shape[0] // 2, labels.shape[1] // 2)]
    sizes = np.bincount(labels.ravel())
    for label in np.argsort(-sizes)[:2]:
        if sizes[label]:
            depth = ndimage.distance_transform_edt(np.pad(labels == label, 1))[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), labels.shape)
            places.append((int(row), int(column)))
    return places


def _attention(maps: list[tuple[str, Tensor]], outlined: Array, shown: Array) -> Figure:
    columns = 5
    rows = -(-(len(maps) + 1) // columns)
    ratio = shown.shape[0] / shown.shape[1]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(1.75 * columns, rows * (1.6 * ratio + 0.35)))
        axes = figure.add_subplot(rows, columns, 1)
        axes.imshow(outlined)
        axes.set_title("prediction")
        axes.axis("off")
        for place, (name, weights) in enumerate(maps, start=2):
            _heat(figure.add_subplot(rows, columns, place), figure, weights.numpy(), shown, _title(name))
        return figure


def _gates(spatial: list[tuple[str, Tensor]], channel: list[tuple[str, Tensor]], shown: Array) -> Figure:
    ratio = shown.shape[0] / shown.shape[1]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2.2 * len(spatial), 2.0 * ratio + 1.8))
        for column, ((name, gate), (_, weights)) in enumerate(zip(spatial, channel, strict=True), start=1):
            _heat(figure.add_subplot(2, len(spatial), column), figure, gate[0].numpy(), shown, _title(name))
            axes = figure.add_subplot(2, len(spatial), len(spatial) + column)
            axes.bar(
                range(1, len(weights) + 1),
                np.sort(weights.flatten().numpy())[::-1],
                width=1.0,
                color=page_colour("accent"),
            )
            axes.set(ylim=(0, 1), xlabel="channels, sorted", ylabel="channel gate" if column == 1 else "")
        return figure


def _title(name: str) -> str:
    """``downs.1.2.attention.mixer`` is a block of the encoder's third stage."""
    if name.startswith("stem"):
        return "encoder 1"
    part, number = name.split(".")[:2] if "." in name else (name, "")
    first = {"downs": ("encoder", 2), "ups": ("decoder", 1)}.get(part)
    return f"{first[0]} {first[1] + int(number)}" if first and number.isdigit() else name


def _heat(axes: Axes, figure: Figure, values: Array, shown: Array, title: str, *, logarithmic: bool = False) -> None:
    """A map of any size laid over the grey image."""
    extent = (-0.5, shown.shape[1] - 0.5, shown.shape[0] - 0.5, -0.5)
    axes.imshow(shown.mean(axis=2), cmap="gray", extent=extent)
    norm = mpl.colors.LogNorm(1e-5, 1, clip=True) if logarithmic else None
    heat = axes.imshow(values, cmap="magma", alpha=0.65, extent=extent, norm=norm, interpolation="bilinear")
    figure.colorbar(heat, ax=axes, shrink=0.7, pad=0.02)
    axes.set_title(title)
    axes.axis("off")


def _save(figure: Figure, out: Path, name: str) -> Path:
    path = out / f"{name}.png"
    for target in (path, path.with_suffix(".pdf")):
        with atomic_write(target) as temporary:
            figure.savefig(temporary, format=target.suffix[1:], dpi=_DPI)
    return path
