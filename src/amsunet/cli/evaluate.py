"""``amsunet evaluate``: score a network on images that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amsunet.cli.options import (
    data_options,
    device_options,
    model_file_option,
    optional_data_argument,
    run_argument,
    runtime_options,
    take_data_options,
    view_options,
)

if TYPE_CHECKING:
    from amsunet.data.dataset import Dataset
    from amsunet.inference.model_ref import ModelRef


@click.command()
@run_argument
@optional_data_argument
@model_file_option
@click.option(
    "--split",
    type=click.Choice(["auto", "test", "val"]),
    default="auto",
    show_default=True,
    help="Images to evaluate on; auto: test images where there are any, else validation images.",
)
@view_options
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@data_options
@device_options
def evaluate(model: ModelRef, data: str | None, **values: Any) -> None:
    """Score a network on test images: table, per-image CSV, report.html.

    RUN is a run folder; or a model file or a network of amsunet zoo (zoo:NAME), which need DATA.
    """
    options, data_options = runtime_options(values), take_data_options(values)
    click.echo(f"on {options.choose_device()}")
    evaluate_and_report(model, data, options=options, data_options=data_options, **values)


def evaluate_and_report(model: Path | ModelRef, data: str | Dataset | None = None, **values: Any) -> None:
    """Score a network, print the table and write the report."""
    from amsunet.evaluation.evaluate import evaluate as evaluate_on  # noqa: PLC0415
    from amsunet.evaluation.evaluation import evaluation_folder  # noqa: PLC0415
    from amsunet.evaluation.report import write_report  # noqa: PLC0415

    evaluation = evaluate_on(model, data, **values)
    click.echo(evaluation.table())
    click.echo(f"every image: {evaluation_folder(evaluation) / 'images.csv'}\nreport: {write_report(evaluation)}")
