"""``amsunet export``: a network for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from amsunet.choices import ExportFormat, ExportPrecision
from amsunet.cli.options import model_file_option, optional_data_argument, run_argument
from amsunet.console import echo

if TYPE_CHECKING:
    from amsunet.inference.model_ref import ModelRef


@click.command()
@run_argument
@optional_data_argument
@click.option("--to", type=click.Choice(get_args(ExportFormat)), required=True)
@click.option("--precision", type=click.Choice(get_args(ExportPrecision)), default="float32", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file (default: in RUN/export, or NAME-PRECISION here)."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there already.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@model_file_option
def export(
    model: ModelRef,
    data: str | None,
    to: ExportFormat,
    precision: ExportPrecision,
    out: Path | None,
    overwrite: bool,
    skip_broken: bool,
    model_file: str | None,
) -> None:
    """Write a network for another runtime, and compare it on validation images: of its run, or of DATA.

    RUN is a run folder, a model file, or a network of amsunet zoo (zoo:NAME).
    """
    from amsunet.deployment.export import export as write  # noqa: PLC0415

    made = write(
        model,
        to,
        data,
        precision=precision,
        out=out,
        overwrite=overwrite,
        skip_broken=skip_broken,
        model_file=model_file,
    )
    echo(f"{made.path}: {made.parity}")
    if made.computed_in != precision:
        echo(f"this processor has no {precision} and computed in {made.computed_in}: compare again on one that has it")
