"""``amsunet evaluate``: score a network on images that it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amsunet.cli.data import data_options
from amsunet.cli.options import model_options, optional_data_argument, separation_option, view_options
from amsunet.cli.process import importing
from amsunet.console import echo

if TYPE_CHECKING:
    from amsunet.data.dataset import Dataset
    from amsunet.inference.model_ref import ModelRef
    from amsunet.inference.runtime_options import RuntimeOptions


@click.command()
@model_options(view_options, separation_option)
@optional_data_argument
@click.option(
    "--split",
    type=click.Choice(["auto", "test", "val"]),
    default="auto",
    show_default=True,
    help="Images to evaluate on; auto: test images where there are any, else validation images.",
)
@click.option("--objects", is_flag=True, help="Score the objects too: which were found, and how many.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for all of it (default: in RUN, or evaluations/NAME here)."
)
@data_options("test_fraction", "spacing")
def evaluate(model: ModelRef, data: str | None, options: RuntimeOptions, **values: Any) -> None:
    """Score a network on test images: table, per-image CSV, report.html.

    RUN is a run folder; or a model file or a network of amsunet zoo (zoo:NAME), which need DATA.
    """
    echo(f"on {options.choose_device()}")
    evaluate_and_report(model, data, options=options, **values)


def evaluate_and_report(model: Path | ModelRef, data: str | Dataset | None = None, **values: Any) -> None:
    """Score a network, print the table and write the report."""
    with importing():
        from amsunet.evaluation.evaluate import evaluate as evaluate_on  # noqa: PLC0415
        from amsunet.evaluation.evaluation import evaluation_folder  # noqa: PLC0415
        from amsunet.evaluation.report import write_report  # noqa: PLC0415

    evaluation = evaluate_on(model, data, **values)
    echo(evaluation.table(), lines=True)
    echo(f"every image: {evaluation_folder(evaluation) / 'images.csv'}")
    echo(f"report: {write_report(evaluation)}")
