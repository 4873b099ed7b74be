"""``amsunet check``: audit a data set."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from amsunet.cli.data import data_options
from amsunet.cli.options import (
    data_argument,
    device_options,
    refuse_settings,
    take_device,
)
from amsunet.cli.process import importing
from amsunet.cli.settings import TRAINING, setting_options
from amsunet.console import echo
from amsunet.data.options import DataOptions


@click.command()
@data_argument
@data_options("skip_broken")
@setting_options([name for name in TRAINING if name != "deterministic"])
@device_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for contact sheet and check.json.")
@click.option(
    "--write-manifest",
    "manifest",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Write which mask belongs to which image, to be edited, and no more (default: DATA/manifest.csv).",
)
@click.pass_context
def check(
    context: click.Context,
    /,
    data: str,
    out: Path | None,
    manifest: Path | None,
    data_options: DataOptions,
    settings: dict[str, Any],
    **values: Any,
) -> None:
    """Audit a data set: what fits, what does not, how it would be trained on and what that costs here."""
    if manifest is not None:
        refuse_settings(context, {"data", "manifest"}, "A manifest is drafted from names alone")
        _draft_manifest(data, manifest)
        return
    started = time.monotonic()  # before what takes seconds to import
    with importing():
        from amsunet.evaluation.rehearsal import rehearse_evaluation  # noqa: PLC0415
        from amsunet.training.check import check as check_data  # noqa: PLC0415
        from amsunet.training.command_time import CommandTime  # noqa: PLC0415

    folder = out or Path("checks") / Path(data.removeprefix("sample:")).absolute().stem
    result = check_data(
        data,
        settings,
        out=folder,
        data_options=data_options,
        device=take_device(values),
        command_time=CommandTime(started, rehearse_evaluation),
    )
    echo(str(result), lines=True)
    if result.problems:
        raise SystemExit(1)


def _draft_manifest(data: str, file: Path) -> None:
    from amsunet.data.discovery.draft import draft_manifest  # noqa: PLC0415

    # An option without its value gives the empty path, which is that of the working folder.
    draft = draft_manifest(data, None if file == Path() else file)
    echo(
        f"{draft.path}: {draft.images} images, {draft.with_mask} of them with a mask; fill in what is missing, fix "
        f"what is wrong, then run amsunet check {shlex.quote(draft.next_source)}"
    )
