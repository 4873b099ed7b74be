"""Looking at networks: models, compare, ablate, explain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amsunet.cli.options import (
    data_argument,
    data_options,
    device_of,
    device_options,
    mask_options,
    model_file_option,
    options,
    plan_options,
    run_argument,
)

if TYPE_CHECKING:
    from amsunet.evaluation.study import Variant

study_options = options(
    click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Trainings of each network."),
    click.option("--folds", type=click.IntRange(2), help="Judge on folds of the images instead of the test images."),
    click.option(
        "--jobs", type=click.IntRange(1), help="Trainings at a time (default: what the machine has room for)."
    ),
    click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used."),
    click.option("--out", type=click.Path(path_type=Path), help="Folder of the study, which goes on if it is there."),
)


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List every network: parameters, multiply-accumulate operations, receptive field, source."""
    if context.invoked_subcommand is not None:
        return
    from amsunet.models import list_models, summarise_model  # noqa: PLC0415

    click.echo(f"{'network':<12}{'parameters':>11}  {'GMACs at 256':>12}  {'at 480':>7}  {'sees pixels':>11}  source")
    for name in list_models():
        summary = summarise_model(name)
        sight = "all" if summary.receptive_field is None else str(summary.receptive_field)
        click.echo(
            f"{name:<12}{summary.parameters:>11,}  {summary.macs_256 / 1e9:>12.2f}  {summary.macs_480 / 1e9:>7.2f}  "
            f"{sight:>11}  {summary.source}"
        )
    click.echo("at 3 channels and 2 classes; gates that average over the whole image are left out of what is seen")


@models.command("check")
@click.argument("model", metavar="NAME|FILE.py:FUNCTION")
def check_model(model: str) -> None:
    """Try on a network what every network here promises; FUNCTION(in_channels, num_classes) builds it."""
    from amsunet.inference.model_file import build_network  # noqa: PLC0415
    from amsunet.models.contract import check_contract  # noqa: PLC0415

    build_network(model, {"in_channels": 3, "num_classes": 2})
    broken = 0
    for promise, problem in check_contract(lambda **arguments: build_network(model, arguments)):
        click.echo(f"{'kept  ' if problem is None else 'BROKEN'}  {promise}{'' if problem is None else f': {problem}'}")
        broken += problem is not None
    if broken:
        click.echo(f"error: {model} breaks {broken} promises: mend them before training", err=True)
        raise SystemExit(2)


@click.command()
@data_argument
@click.option(
    "--models",
    "names",
    required=True,
    metavar="A,B,...",
    help="Names of amsunet models or FILE.py:FUNCTION; the others are tested against the first.",
)
@study_options
@data_options
@plan_options
@device_options
def compare(data: str, names: str, **values: Any) -> None:
    """Train networks alike on a data set, several seeds each, and set them side by side."""
    from amsunet.evaluation.study import COMPARISON, Variant  # noqa: PLC0415
    from amsunet.models import absolute_model  # noqa: PLC0415

    models = [absolute_model(part.strip()) for part in names.split(",")]
    short = [re.sub(r"\.py:", ".", Path(model).name) for model in models]
    if len(set(short)) < len(short):  # files of one name in several folders
        short = [re.sub(r"\.py:", ".", "-".join(Path(model).parts[-2:])) for model in models]
    variants = [Variant(name=name, model=model) for name, model in zip(short, models, strict=True)]
    run_study(data, variants, default_name="comparison", title=COMPARISON, **values)


@click.command()
@data_argument
@click.option(
    "--study", required=True, help="dilation, kernels, strips, norm, residual, activation, attention or mixer."
)
@click.option("--base-channels", type=int, help="Width of the networks (default 32).")
@study_options
@data_options
@plan_options
@device_options
def ablate(data: str, study: str, base_channels: int | None, **values: Any) -> None:
    """Set one choice of the AMSUnet paper against its alternatives."""
    from amsunet.evaluation.ablation import variants_of  # noqa: PLC0415

    variants = variants_of(study, base_channels=base_channels)
    run_study(data, variants, default_name=study, title=f"AMSUnet: {study}", **values)


def run_study(data: str, variants: list[Variant], *, default_name: str, out: Path | None, **values: Any) -> None:
    """Train and judge what a command asks for, write table and page, and say where they are."""
    from amsunet.evaluation.compare import compare as run  # noqa: PLC0415
    from amsunet.evaluation.comparison_page import write_page  # noqa: PLC0415

    if values.pop("seed") is not None:
        raise click.UsageError("A study trains with seeds 0, 1, 2, ...: leave --seed out, --seeds says how many.")
    if values["folds"] is not None and values["test_fraction"] != 0.2:
        raise click.UsageError("--folds judges on folds, --test-fraction on held-out images: give one of them.")
    said = mask_options(values)
    folder = out or Path("studies") / f"{Path(data.removeprefix('sample:')).stem}-{default_name}"
    comparison = run(data, variants, out=folder, mask_options=said, **values)
    click.echo(comparison.table())
    click.echo(f"every image: {folder / 'images.csv'}\npage: {write_page(comparison)}")
    if comparison.failures:
        raise SystemExit(1)


@click.command()
@run_argument
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the pictures (default: RUN/explain/IMAGE).")
@model_file_option
@device_options
def explain(run: Path, image: Path, out: Path | None, model_file: str | None, device: str, precision: str) -> None:
    """Show what a trained network looks at: receptive field, AMS attention and RSC gates over an image."""
    from amsunet.evaluation.explain import explain as draw  # noqa: PLC0415

    folder = run if run.is_dir() else run.parent
    target = out or folder / "explain" / image.stem
    for path in draw(run, image, target, device=device_of(device, precision), model_file=model_file):
        click.echo(str(path))
