"""``amsunet export``: a network for another runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from amsunet.choices import ExportFormat, ExportPrecision
from amsunet.cli.options import model_file_option, optional_data_argument, refuse_settings_of, run_argument
from amsunet.console import echo
from amsunet.errors import InputError

if TYPE_CHECKING:
    from amsunet.inference.model_ref import ModelRef

_WEB, _BIOIMAGE = "web", "bioimage"


@click.command()
@run_argument
@optional_data_argument
@click.option(
    "--to",
    type=click.Choice([*get_args(ExportFormat), _WEB, _BIOIMAGE]),
    required=True,
    help="web: a page with the network in it, which segments images in a browser; bioimage: a package of bioimage.io, "
    "for Fiji (deepImageJ) and others.",
)
@click.option(
    "--precision",
    type=click.Choice(get_args(ExportPrecision)),
    help="Default: float32; of web what was exported to ONNX before, or float32.",
)
@click.option("--also", metavar="RUN", multiple=True, help="Of web: another network to choose, as often as wanted.")
@click.option("--one-file", is_flag=True, help="Of web: one HTML file that opens without a server.")
@click.option(
    "--author",
    metavar="NAME",
    multiple=True,
    help="Of bioimage: who made the network, as often as wanted; not of the zoo's.",
)
@click.option("--licence", metavar="SPDX", help="Of bioimage: of the weights, as CC-BY-4.0.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file, or the folder of web (default: in RUN/export, or NAME-PRECISION or NAME-web here).",
)
@click.option("--overwrite", is_flag=True, help="Replace a file that is there already.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@model_file_option
def export(
    model: ModelRef,
    data: str | None,
    to: str,
    precision: ExportPrecision | None,
    also: tuple[str, ...],
    one_file: bool,
    author: tuple[str, ...],
    licence: str | None,
    out: Path | None,
    overwrite: bool,
    skip_broken: bool,
    model_file: str | None,
) -> None:
    """Write a network for another runtime, and compare it on validation images: of its run, or of DATA.

    --to web writes a page around it: a folder for any web server, which segments images in a browser. --to bioimage
    writes a package with an image to test it by.

    RUN is a run folder, a model file, or a network of amsunet zoo (zoo:NAME).
    """
    context = click.get_current_context()
    if to != _BIOIMAGE:
        refuse_settings_of(context, ("author", "licence"), "--to bioimage")
    if to != _WEB:
        refuse_settings_of(context, ("one_file", "also"), "--to web")
    if to == _BIOIMAGE:
        _write_bioimage(
            model,
            data,
            precision,
            skip_broken,
            author=author,
            licence=licence,
            out=out,
            overwrite=overwrite,
            model_file=model_file,
        )
        return
    if to == _WEB:
        if skip_broken:
            raise InputError(f"--skip-broken goes with the other formats: amsunet export {model} --to onnx first")
        from amsunet.deployment.web import export_web  # noqa: PLC0415

        page = export_web(
            [model, *also],
            data,
            one_file=one_file,
            precision=precision,
            out=out,
            overwrite=overwrite,
            model_file=model_file,
        )
        echo(f"{page.path}: {page.bytes / 1e6:.1f} MB{'' if one_file else ', with the files beside it'}")
        return
    from amsunet.deployment.export import export as write  # noqa: PLC0415

    made = write(
        model,
        cast("ExportFormat", to),
        data,
        precision=precision or "float32",
        out=out,
        overwrite=overwrite,
        skip_broken=skip_broken,
        model_file=model_file,
    )
    echo(f"{made.path}: {made.parity}")
    if made.computed_in != (precision or "float32"):
        echo(f"this processor has no {precision} and computed in {made.computed_in}: compare again on one that has it")


def _write_bioimage(
    model: ModelRef, data: str | None, precision: ExportPrecision | None, skip_broken: bool, **values: Any
) -> None:
    if skip_broken:
        raise InputError(f"--skip-broken goes with the other formats: amsunet export {model} --to onnx first")
    if precision not in (None, "float32"):
        raise InputError(f"--precision {precision} goes with the other formats: leave it out")
    from amsunet.deployment.bioimage import export_bioimage  # noqa: PLC0415

    package = export_bioimage(model, data, **values)
    echo(f"{package.path}: {package.bytes / 1e6:.1f} MB")
