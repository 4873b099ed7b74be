"""``amsunet compare`` and ``amsunet ablate``: train networks alike and set them side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amsunet.choices import EngineName
from amsunet.cli.data import data_options
from amsunet.cli.options import data_argument, device_options, engine_options, options, refuse_settings_of, take_device
from amsunet.cli.settings import STUDY, setting_options
from amsunet.console import echo
from amsunet.data.options import DataOptions

if TYPE_CHECKING:
    from amsunet.evaluation.variant import Variant

study_options = options(
    data_argument,
    click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Trainings of each network."),
    click.option("--folds", type=click.IntRange(2), help="Evaluate on folds of the images instead of the test images."),
    click.option("--split", type=click.Choice(["test", "val"]), help="Evaluate on test or validation images."),
    click.option(
        "--equal-time",
        type=click.FloatRange(0, min_open=True),
        metavar="MINUTES",
        help="Give each network as many steps as its own take of these minutes, timed beforehand, each in its faster "
        "precision; in place of --minutes or --epochs.",
    ),
    click.option(
        "--jobs", type=click.IntRange(1), help="Trainings at a time (default: what the machine has room for)."
    ),
    engine_options("trainings"),
    click.option("--out", type=click.Path(path_type=Path), help="Folder of the study, which goes on if it is there."),
    data_options(),
    setting_options(STUDY),
    device_options,
)
"""All that every study is given, whatever it compares."""


@click.command()
@click.option(
    "--models",
    "names",
    required=True,
    metavar="A,B,...",
    help="Names of amsunet models or FILE.py:FUNCTION, with @16 for 16 base channels; the others are tested against "
    "the first.",
)
@study_options
def compare(data: str, names: str, **values: Any) -> None:
    """Train networks alike on a data set, several seeds each, and set them side by side."""
    from amsunet.evaluation.study import COMPARISON  # noqa: PLC0415
    from amsunet.evaluation.variant import as_variants  # noqa: PLC0415

    variants = as_variants([name.strip() for name in names.split(",")])
    run_study(data, variants, default_name="comparison", title=COMPARISON, **values)


@click.command()
@click.option(
    "--study", required=True, help="dilation, kernels, strips, norm, residual, activation, attention or mixer."
)
@click.option("--base-channels", type=int, help="Width of the networks (default 32).")
@study_options
def ablate(data: str, study: str, base_channels: int | None, **values: Any) -> None:
    """Set one choice of the AMSUnet paper against its alternatives."""
    from amsunet.evaluation.ablation import variants_of  # noqa: PLC0415

    variants = variants_of(study, base_channels=base_channels)
    run_study(data, variants, default_name=study, title=f"AMSUnet: {study}", **values)


def run_study(
    data: str,
    variants: list[Variant],
    settings: dict[str, Any],
    data_options: DataOptions,
    *,
    default_name: str,
    title: str,
    out: Path | None,
    engine: EngineName,
    address: str | None,
    **values: Any,
) -> None:
    """Train and evaluate what a command asks for, write table and page, and print where they are."""
    from amsunet.evaluation.compare import compare as run  # noqa: PLC0415
    from amsunet.evaluation.comparison_page import write_page  # noqa: PLC0415
    from amsunet.evaluation.ray_trials import RayTrials  # noqa: PLC0415
    from amsunet.evaluation.study import StudyDesign  # noqa: PLC0415

    if values["folds"] is not None and "test_fraction" in data_options.model_fields_set:
        raise click.UsageError("--folds evaluates on folds, --test-fraction on held-out images: give one of them.")
    if engine == "process":
        refuse_settings_of(click.get_current_context(), ("address",), "--engine ray")
    folder = out or Path("studies") / f"{Path(data.removeprefix('sample:')).stem}-{default_name}"
    comparison = run(
        data,
        variants,
        settings,
        out=folder,
        data_options=data_options,
        device=take_device(values),
        design=StudyDesign(title=title, **values),
        engine=RayTrials(address) if engine == "ray" else engine,
    )
    echo(comparison.table(), lines=True)
    echo(f"every image: {folder / 'images.csv'}")
    echo(f"page: {write_page(comparison)}")
    if comparison.failures:
        raise SystemExit(1)
