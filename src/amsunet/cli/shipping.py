"""Making a run ready for other machines: export."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from amsunet.cli.options import own_option


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(["onnx", "openvino"]), required=True)
@click.option(
    "--precision", type=click.Choice(["float32", "bfloat16", "float16", "int8"]), default="float32", show_default=True
)
@click.option("--out", type=click.Path(path_type=Path), help="The file (default: RUN/export/PRECISION.onnx or .xml).")
@own_option
def export(
    run: Path,
    to: Literal["onnx", "openvino"],
    precision: Literal["float32", "bfloat16", "float16", "int8"],
    out: Path | None,
    own: str | None,
) -> None:
    """Write a run's network for another runtime, and compare it on validation images."""
    from amsunet.deployment.export import export as write  # noqa: PLC0415

    made = write(run, to, precision=precision, out=out, own=own)
    click.echo(f"{made.path}: {made.parity}")
