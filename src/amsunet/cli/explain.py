"""``amsunet explain``: what a trained network looks at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from amsunet.cli.options import model_options
from amsunet.console import echo

if TYPE_CHECKING:
    from amsunet.inference.model_ref import ModelRef
    from amsunet.inference.runtime_options import RuntimeOptions


@click.command()
@model_options()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the pictures (default: RUN/explain/IMAGE).")
def explain(model: ModelRef, image: Path, out: Path | None, options: RuntimeOptions, model_file: str | None) -> None:
    """Show what a trained network looks at: receptive field, AMS attention and RSC gates over an image."""
    from amsunet.evaluation.explain import explain as draw  # noqa: PLC0415

    target = out or model.home / "explain" / image.stem
    echo(f"on {options.choose_device()}")
    for path in draw(model, image, target, options=options, model_file=model_file):
        echo(str(path))
