"""Networks for other machines and from others: export, zoo."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from amsunet.cli.options import model_file_option, optional_data_argument, run_argument


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
@model_file_option
def export(
    run: Path,
    data: str | None,
    to: Literal["onnx", "openvino", "pt2", "executorch"],
    precision: Literal["float32", "bfloat16", "float16", "int8"],
    out: Path | None,
    overwrite: bool,
    skip_broken: bool,
    model_file: str | None,
) -> None:
    """Write a network for another runtime, and compare it on validation images: of its run, or of DATA.

    RUN is a run folder, a model file, or the name of a network of amsunet zoo.
    """
    from amsunet.deployment.export import export as write  # noqa: PLC0415

    made = write(
        run, to, data, precision=precision, out=out, overwrite=overwrite, skip_broken=skip_broken, model_file=model_file
    )
    click.echo(f"{made.path}: {made.parity}")
    if made.computed_in != precision:
        click.echo(
            f"this processor has no {precision} and computed in {made.computed_in}: compare again on one that has it"
        )


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
        click.echo(f"{card.name:<10} {card.finds}\n{'':<10} test {card.test}; {size:.1f} MB; weights: {card.licence}")
    click.echo("amsunet zoo NAME shows the card, amsunet predict NAME IMAGES --out masks segments; not for diagnosis")
