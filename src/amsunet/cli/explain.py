"""``amsunet explain``: what a trained network looks at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amsunet.cli.options import device_options, model_file_option, run_argument, runtime_options
from amsunet.console import echo

if TYPE_CHECKING:
    from amsunet.inference.model_ref import ModelRef


@click.command()
@run_argument
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the pictures (default: RUN/explain/IMAGE).")
@model_file_option
@device_options
def explain(model: ModelRef, image: Path, out: Path | None, model_file: str | None, **values: Any) -> None:
    """Show what a trained network looks at: receptive field, AMS attention and RSC gates over an image."""
    from amsunet.evaluation.explain import explain as draw  # noqa: PLC0415

    target = out or model.home / "explain" / image.stem
    options = runtime_options(values)
    echo(f"on {options.choose_device()}")
    for path in draw(model, image, target, options=options, model_file=model_file):
        echo(str(path))
