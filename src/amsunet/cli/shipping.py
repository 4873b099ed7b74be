"""Networks for other machines and from others: export, benchmark, zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from amsunet.cli.options import optional_data_argument, own_option, run_argument, whole_numbers


def _names(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


@click.command()
@run_argument
@optional_data_argument
@click.option("--to", type=click.Choice(["onnx", "openvino", "pt2", "executorch"]), required=True)
@click.option(
    "--precision", type=click.Choice(["float32", "bfloat16", "float16", "int8"]), default="float32", show_default=True
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file (default: in RUN/export, or NAME-PRECISION here)."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there already.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@own_option
def export(
    run: Path,
    data: str | None,
    to: Literal["onnx", "openvino", "pt2", "executorch"],
    precision: Literal["float32", "bfloat16", "float16", "int8"],
    out: Path | None,
    overwrite: bool,
    skip_broken: bool,
    own: str | None,
) -> None:
    """Write a network for another runtime, and compare it on validation images: of its run, or of DATA.

    RUN is a run folder, a model file, or the name of a network of amsunet zoo.
    """
    from amsunet.deployment.export import export as write  # noqa: PLC0415

    made = write(run, to, data, precision=precision, out=out, overwrite=overwrite, skip_broken=skip_broken, own=own)
    click.echo(f"{made.path}: {made.parity}")
    if made.computed_in != precision:
        click.echo(
            f"this processor has no {precision} and computed in {made.computed_in}: compare again on one that has it"
        )


@click.command()
@click.option(
    "--models",
    callback=_names,
    metavar="A,B,...",
    help="Names or FILE.py:FUNCTION, or all (default: amsunet,amsunet_xs,unet).",
)
@click.option(
    "--runtimes",
    callback=_names,
    metavar="A,B,...",
    help="Of eager, channels_last, fused, compiled, onnx, openvino, pt2, executorch (default: "
    "all that are installed but pt2, executorch and, on a CPU, compiled).",
)
@click.option(
    "--precisions",
    callback=_names,
    metavar="A,B,...",
    help="Of float32, bfloat16, float16, int8 (default: float32, and bfloat16 where the device computes it).",
)
@click.option("--size", "sizes", callback=whole_numbers, default="256", show_default=True, metavar="SIDE,...")
@click.option("--batch", "batches", callback=whole_numbers, default="1", show_default=True, metavar="IMAGES,...")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of a CPU (default: all cores).")
@click.option("--seconds", type=click.FloatRange(0), default=1.0, show_default=True, help="To measure each row for.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("benchmark"),
    show_default=True,
    help="Folder of table and plot; a benchmark that was stopped goes on.",
)
def benchmark(**values: Any) -> None:
    """Time networks on this machine: every network with every runtime and precision, set against plain torch, against
    U-Net, and against what the machine can do at best.
    """
    from amsunet.deployment.benchmark import benchmark as run  # noqa: PLC0415

    speeds = run(**values)
    out = values["out"]
    click.echo(f"{speeds.table()}\ntable: {out / 'rows.csv'}\nplot: {out / 'speeds.png'}")
    if speeds.failures:
        raise SystemExit(1)


@click.command()
@click.argument("name", required=False)
def zoo(name: str | None) -> None:
    """List the trained networks that come with the package, or show the card of one."""
    from amsunet.errors import InputError  # noqa: PLC0415
    from amsunet.zoo import list_zoo, unknown  # noqa: PLC0415

    cards = {card.name: card for card in list_zoo()}
    if name is not None:
        if name not in cards:
            raise InputError(f"no network {name} comes with amsunet; {unknown(name)}")
        click.echo(str(cards[name]))
        return
    for card in cards.values():
        if not card.weights.is_file():
            raise InputError(f"{card.weights} is missing: install amsunet again, which it comes with")
        size = card.weights.stat().st_size / 1e6
        click.echo(f"{card.name:<10} {card.finds}\n{'':<10} test {card.test}; {size:.1f} MB; data: {card.terms}")
    click.echo("amsunet zoo NAME shows the card, amsunet predict NAME IMAGES --out masks segments; not for diagnosis")
