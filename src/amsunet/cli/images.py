"""From images to masks: check, train, evaluate, predict."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from amsunet.cli.options import (
    data_argument,
    data_options,
    device_of,
    device_options,
    mask_options,
    model_file_option,
    network_options,
    optional_data_argument,
    plan_options,
    run_argument,
    view_options,
)


@click.command()
@data_argument
@data_options
@plan_options
@network_options
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
def check(context: click.Context, /, data: str, out: Path | None, manifest: Path | None, **values: Any) -> None:
    """Audit a data set: what fits, what does not, how it would be trained on and what that costs here."""
    if manifest is not None:
        _refuse_settings(context, {"data", "manifest"}, "A manifest is drafted from names alone")
        _draft_manifest(data, manifest)
        return
    started = time.monotonic()  # before what takes seconds to import
    from amsunet.evaluation.rehearsal import rehearse_evaluation  # noqa: PLC0415
    from amsunet.training.check import check as check_data  # noqa: PLC0415

    options = mask_options(values)
    folder = out or Path("checks") / Path(data.removeprefix("sample:")).absolute().stem
    result = check_data(
        data, out=folder, mask_options=options, started=started, evaluating=rehearse_evaluation, **values
    )
    click.echo(str(result))
    if result.problems:
        raise SystemExit(1)


def _draft_manifest(data: str, file: Path) -> None:
    from amsunet.data.draft import draft_manifest  # noqa: PLC0415

    # An option without its value gives the empty path, which is that of the working folder.
    draft = draft_manifest(data, None if file == Path() else file)
    click.echo(
        f"{draft.path}: {draft.images} images, {draft.with_mask} of them with a mask; fill in what is missing, mend "
        f"what is wrong, then run amsunet check {shlex.quote(draft.next_source)}"
    )


@click.command()
@optional_data_argument
@data_options
@plan_options
@network_options
@device_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default: the next one under runs/).")
@click.option("--deterministic", is_flag=True, help="The same weights, bit for bit, from the same command.")
@click.option("--folds", type=click.IntRange(2), help="Train so many networks, each for the time given: an ensemble.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@click.option(
    "--resume",
    "resumed",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a stopped run; name DATA too if they have moved.",
)
@click.pass_context
def train(context: click.Context, /, data: str | None, resumed: Path | None, device: str, **values: Any) -> None:
    """Train a network on a data set, or go on with --resume RUN; Ctrl-C saves what was reached."""
    started = time.monotonic()  # before what takes seconds to import
    from amsunet.evaluation.rehearsal import rehearse_evaluation  # noqa: PLC0415
    from amsunet.training.train import resume as resume_training  # noqa: PLC0415
    from amsunet.training.train import train as start_training  # noqa: PLC0415

    if resumed is not None:
        _refuse_settings(context, {"data", "resumed", "device", "model"}, "A run is resumed with its own settings")
        training = resume_training(
            resumed, data, device=None if device == "auto" else device, model_file=values["model"]
        )
    elif data is None:
        raise click.UsageError("Name the DATA to train on, or a run with --resume RUN.")
    else:
        options = mask_options(values)
        training = start_training(
            str(data), mask_options=options, device=device, started=started, evaluating=rehearse_evaluation, **values
        )
    if training.interrupted:
        click.echo(
            f"stopped early: amsunet train --resume {shlex.quote(str(training.run))} goes on from the last whole epoch"
        )
        if training.folds is not None:
            return
    _evaluate(
        training.run,
        split="val",
        device=training.device,
        model_file=values["model"],
        dataset=training.dataset,
        most=training.validation_images,
    )
    click.echo(f"run: {training.run}\nnext: amsunet evaluate {shlex.quote(str(training.run))}")


def _refuse_settings(context: click.Context, allowed: set[str], why: str) -> None:
    """Raise for a setting on the command line that would be of no use."""
    for parameter in context.command.params:
        said = context.get_parameter_source(parameter.name or "") is click.core.ParameterSource.COMMANDLINE
        if said and parameter.name not in allowed:
            raise click.UsageError(f"{why}: leave {parameter.opts[0]} out.")


@click.command()
@run_argument
@optional_data_argument
@model_file_option
@click.option(
    "--split",
    type=click.Choice(["auto", "test", "val"]),
    default="auto",
    show_default=True,
    help="Images to judge on; auto: test images where there are any, else validation images.",
)
@view_options
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@data_options
@device_options
def evaluate(run: Path, data: str | None, device: str, precision: str, **values: Any) -> None:
    """Score a network on test images: table, per-image CSV, report.html.

    RUN is a run folder; or a model file or the name of a network of amsunet zoo, which need DATA.
    """
    options = mask_options(values)
    _evaluate(run, data, device=device_of(device, precision), mask_options=options, **values)


def _evaluate(run: Path, data: str | None = None, **values: Any) -> None:
    from amsunet.evaluation.evaluate import evaluate as evaluate_on  # noqa: PLC0415
    from amsunet.evaluation.evaluation import evaluation_folder  # noqa: PLC0415
    from amsunet.evaluation.report import write_report  # noqa: PLC0415

    evaluation = evaluate_on(run, data, **values)
    click.echo(evaluation.table())
    click.echo(f"every image: {evaluation_folder(evaluation) / 'images.csv'}\nreport: {write_report(evaluation)}")


@click.command()
@run_argument
@click.argument("images", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the masks.")
@model_file_option
@click.option("--overlay", is_flag=True, help="Also write the images with outlines.")
@click.option("--probability", is_flag=True, help="Also write probability maps (16-bit PNG).")
@click.option("--overwrite", is_flag=True, help="Replace masks that are there already.")
@view_options
@click.option(
    "--polarity",
    type=click.Choice(["auto", "bright-on-dark", "dark-on-bright"]),
    default="auto",
    show_default=True,
    help="What the images show, for networks that turn dark objects bright; auto finds it out of each image.",
)
@click.option(
    "--runtime",
    type=click.Choice(["torch", "onnx", "openvino"]),
    help="What runs the network (default: torch, or what an exported file is for).",
)
@click.option(
    "--level",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of a pyramid, the level whose pixels are as large as those trained on.",
)
@click.option("--compile", "compiled", is_flag=True, help="Run torch.compile: minutes at first, faster thereafter.")
@device_options
def predict(
    run: Path,
    images: tuple[str, ...],
    out: Path,
    overlay: bool,
    probability: bool,
    overwrite: bool,
    level: int,
    **settings: Any,
) -> None:
    """Segment IMAGES: files, folders, patterns, or lists (.txt, one path a line); slides are read tile by tile.

    RUN is a run folder, the name of a network of amsunet zoo, or a file that amsunet export made.
    """
    from amsunet.inference.inputs import find_inputs  # noqa: PLC0415
    from amsunet.inference.predict_files import REVIEW_LIST, predict_files  # noqa: PLC0415
    from amsunet.inference.predictor import load  # noqa: PLC0415
    from amsunet.inference.uncertainty import describe_out_of_distribution, describe_polarity_in_doubt  # noqa: PLC0415

    jobs = find_inputs(images, out)
    predictor = load(run, **settings)
    click.echo(f"on {predictor}")
    outcome = predict_files(
        predictor, jobs, out, overlay=overlay, probability=probability, overwrite=overwrite, level=level
    )
    click.echo(f"{outcome.written} masks in {out}, {outcome.pace}")
    if out_of_distribution := describe_out_of_distribution(
        [(one.image, one.out_of_distribution) for one in outcome.review if one.out_of_distribution], outcome.written
    ):
        click.echo(f"warning: {out_of_distribution}: check the masks", err=True)
    if unclear := describe_polarity_in_doubt([(one.image, one.polarity) for one in outcome.review if one.polarity]):
        click.echo(f"warning: {unclear}", err=True)
    if outcome.sizes:
        scaling = predictor.scaling(outcome.sizes)
        click.echo(scaling.line)
        if scaling.warning:
            click.echo(f"warning: {scaling.warning}", err=True)
    if outcome.review:
        click.echo(f"{len(outcome.review)} of {outcome.written} masks are to be checked: {out / REVIEW_LIST}", err=True)
    for message in outcome.failures.values():
        click.echo(f"failed: {message}", err=True)
    if outcome.failures:
        click.echo(f"{len(outcome.failures)} of {len(jobs)} failed, listed in {out / 'failures.txt'}", err=True)
        raise SystemExit(1)
