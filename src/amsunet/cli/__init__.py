"""The command line: it parses, calls and prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from amsunet.errors import InputError

if TYPE_CHECKING:
    from amsunet.data.masks import MaskOptions
    from amsunet.machine import Machine

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="amsunet")
def cli() -> None:
    """Lightweight 2D medical image segmentation.

    DATA is a folder of images and masks in any usual layout, a CSV manifest (image, mask, group, split, roi), or
    sample:nuclei, sample:brain.
    """


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _numbers(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(part) for part in value.replace("x", ",").split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not a list of whole numbers") from None


def _crop(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    numbers = _numbers(ctx, parameter, value)
    if numbers is None:
        return None
    if len(numbers) > 2 or min(numbers) < 32:
        raise click.BadParameter("give a side, or height x width, of 32 and more")
    return numbers[0], numbers[-1]


_data_options = _options(
    click.option(
        "--classes", callback=_numbers, metavar="V,V,...", help="Mask values of the classes, background first."
    ),
    click.option("--instances", is_flag=True, help="Mask values number objects; all are foreground."),
    click.option("--ignore-value", type=int, help="Mask value of pixels that do not count."),
    click.option("--mask-threshold", type=int, help="Mask values from this on are foreground."),
    click.option("--group", metavar="REGEX", help="Its first group, found in an image's path, names the patient."),
)
_machine_options = _options(
    click.option("--device", default="auto", help="auto, cpu, cuda or mps.", show_default=True),
    click.option("--precision", default="auto", help="auto, float32 or bfloat16.", show_default=True),
)
_plan_options = _options(
    click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Time to train for (default 20)."),
    click.option("--epochs", type=click.IntRange(1), help="Passes over the training images, instead of minutes."),
    click.option("--batch-size", type=int),
    click.option("--crop", callback=_crop, metavar="SIDE|HxW", help="Size of training crops."),
    click.option("--scale", type=float, help="Working pixels per image pixel."),
    click.option("--windowing", type=click.Choice(["depth", "percentiles"])),
    click.option("--augmentation", type=click.Choice(["none", "light", "medium", "strong"])),
    click.option("--learning-rate", type=float),
    click.option("--weight-decay", type=float),
    click.option("--base-channels", type=int, help="Width of the network (default 32)."),
    click.option("--steps-per-epoch", type=int),
    click.option("--patience", type=int, help="Epochs without a better score before training ends."),
    click.option("--seed", type=int),
    click.option("--test-fraction", type=click.FloatRange(0, 0.9), default=0.2, show_default=True,
                 help="Held out where the data name no test images."),
)  # fmt: skip


def _mask_options(values: dict[str, Any]) -> MaskOptions | None:
    """Take the mask options out of a command's values; None if none was said."""
    from amsunet.data.masks import MaskOptions  # noqa: PLC0415

    said = {
        "classes": values.pop("classes"),
        "instances": values.pop("instances"),
        "ignore_value": values.pop("ignore_value"),
        "threshold": values.pop("mask_threshold"),
    }
    return MaskOptions(**said) if any(value not in (None, False) for value in said.values()) else None


def _machine(device: str, precision: str) -> Machine:
    from amsunet.machine import choose_machine  # noqa: PLC0415

    machine = choose_machine(device, precision)
    click.echo(f"on {machine}")
    return machine


@contextmanager
def _progress(unit: str) -> Iterator[Callable[..., None]]:
    """A bar on a terminal: call it with the number done, and the total once it is known."""
    from tqdm import tqdm  # noqa: PLC0415

    with tqdm(unit=unit, disable=None, leave=False) as bar:

        def update(done: int, total: int | None = None) -> None:
            bar.total = total or bar.total
            bar.update(done - bar.n)

        yield update


@cli.command()
@click.argument("data")
@_data_options
@_plan_options
@_machine_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for contact sheet and check.json.")
def check(data: str, out: Path | None, **values: Any) -> None:
    """Audit a data set: what fits, what does not, how it would be trained on and what that costs here."""
    from amsunet.training.check import check as check_data  # noqa: PLC0415

    options = _mask_options(values)
    folder = out or Path("checks") / Path(data.removeprefix("sample:")).stem
    with _progress("image") as progress:
        result = check_data(data, out=folder, mask_options=options, progress=progress, **values)
    click.echo(str(result))
    if result.problems:
        raise SystemExit(1)


@cli.command()
@click.argument("data", required=False)
@_data_options
@_plan_options
@_machine_options
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default: the next one under runs/).")
@click.option(
    "--recipe", type=click.Choice(["default", "paper"]), default="default", help="paper: AMSUnet's released recipe."
)
@click.option("--deterministic", is_flag=True, help="The same weights, bit for bit, from the same command.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@click.option("--resume", "resumed", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a stopped run.")
def train(data: str | None, resumed: Path | None, device: str, **values: Any) -> None:
    """Train AMSUnet on a data set, or go on with --resume RUN; Ctrl-C saves what was reached."""
    from amsunet.training.train import resume as resume_training  # noqa: PLC0415
    from amsunet.training.train import train as start_training  # noqa: PLC0415

    if (data is None) == (resumed is None):
        raise click.UsageError("Name the DATA to train on, or a run with --resume RUN.")
    if resumed is not None:
        training = resume_training(resumed, device=None if device == "auto" else device, say=click.echo)
    else:
        options = _mask_options(values)
        training = start_training(str(data), mask_options=options, device=device, say=click.echo, **values)
    if training.interrupted:
        click.echo(f"stopped early: amsunet train --resume {training.run} goes on from the last whole epoch")
    _judge(training.run, split="val")
    click.echo(f"run: {training.run}\nnext: amsunet evaluate {training.run}")


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("data", required=False)
@click.option("--split", type=click.Choice(["auto", "test", "val"]), default="auto", show_default=True)
@click.option("--flips", is_flag=True, help="Average over mirror images: four times slower.")
@click.option("--skip-broken", is_flag=True, help="Leave out images that cannot be used.")
@_data_options
@_machine_options
def evaluate(run: Path, data: str | None, device: str, precision: str, **values: Any) -> None:
    """Score a run on test images: table, per-image CSV, report.html."""
    options = _mask_options(values)
    _judge(run, data, machine=_machine(device, precision), mask_options=options, **values)


def _judge(run: Path, data: str | None = None, **values: Any) -> None:
    from amsunet.evaluation.evaluate import evaluate as judge  # noqa: PLC0415
    from amsunet.evaluation.evaluate import evaluation_folder  # noqa: PLC0415
    from amsunet.evaluation.report import write_report  # noqa: PLC0415

    with _progress("image") as progress:
        evaluation = judge(run, data, progress=progress, **values)
    for note in evaluation.notes:
        click.echo(note)
    click.echo(evaluation.table())
    click.echo(f"every image: {evaluation_folder(evaluation) / 'images.csv'}\nreport: {write_report(evaluation)}")


@cli.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the masks.")
@click.option("--overlay", is_flag=True, help="Also write the images with outlines.")
@click.option("--probability", is_flag=True, help="Also write probability maps (16-bit PNG).")
@click.option("--overwrite", is_flag=True, help="Replace masks that are there already.")
@click.option("--flips", is_flag=True, help="Average over mirror images: four times slower.")
@_machine_options
def predict(
    run: Path,
    images: tuple[str, ...],
    out: Path,
    overlay: bool,
    probability: bool,
    overwrite: bool,
    flips: bool,
    device: str,
    precision: str,
) -> None:
    """Segment IMAGES: files, folders, patterns, or lists (.txt, one path a line)."""
    from amsunet.inference.folder import find_inputs, predict_files  # noqa: PLC0415
    from amsunet.inference.predictor import Predictor  # noqa: PLC0415

    jobs = find_inputs(images, out)
    predictor = Predictor(run, machine=_machine(device, precision), flips=flips)
    with _progress("image") as progress:
        outcome = predict_files(
            predictor,
            jobs,
            out,
            overlay=overlay,
            probability=probability,
            overwrite=overwrite,
            progress=lambda done: progress(done, len(jobs)),
        )
    click.echo(f"{outcome.written} masks in {out}, {outcome.images_per_second:.1f} images a second")
    for message in outcome.failures.values():
        click.echo(f"failed: {message}", err=True)
    if outcome.failures:
        click.echo(f"{len(outcome.failures)} of {len(jobs)} failed, listed in {out / 'failures.txt'}", err=True)
        raise SystemExit(1)


def main() -> None:
    """Run the command line; what a user can mend ends in one sentence and exit code 2."""
    try:
        sys.exit(cli(standalone_mode=False))
    except InputError as error:
        click.echo(f"error: {error}", err=True)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        context = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "amsunet"
        click.echo(f"error: {error.format_message()} ({context} --help lists all)", err=True)
    except OSError as error:
        click.echo(f"error: {error}: free some space or mend the permissions, and run the command again", err=True)
    except (MemoryError, RuntimeError) as error:
        # torch tells of memory with a RuntimeError, which is the parent of its own kind for GPUs.
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        click.echo("error: memory ran out: lower --batch-size or --crop, or close other programs", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
