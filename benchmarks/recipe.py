"""What an ingredient of the training is worth: settings of the plan, one change each, against the plan as it is.

    python benchmarks/recipe.py DATA --seeds 3 --epochs 12 --steps-per-epoch 60 [--try NAME=VALUE ...]

A study as ``amsunet ablate`` runs them, with the same options; what is compared is the training, not the network.
Settings are evaluated on validation images, or with --folds on folds; never on test images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from amsunet.cli import main
from amsunet.cli.compare import run_study, study_options
from amsunet.cli.process import process_prepared
from amsunet.cli.settings import settings_of
from amsunet.errors import InputError
from amsunet.evaluation.study import PER_TRIAL
from amsunet.evaluation.variant import Variant
from amsunet.training.plan_schema import check_setting

CHANGES: tuple[dict[str, Any], ...] = (
    {"loss": "focal_dice"},
    {"loss": "ce_dice_cldice"},
    {"extra_augmentation": "stain"},
    {"augmentation": "light"},
    {"augmentation": "strong"},
    {"normalization": "percentiles"},
    {"normalization": "gamma"},
    {"normalization": "bright_on_dark"},
    {"inversion": True},
    {"foreground_fraction": 0.5},
    {"ema": False},
)
_THE_SAME = {*PER_TRIAL, "in_channels", "minutes", "epochs", "steps_per_epoch", "patience"}


def variants_of(changes: Sequence[dict[str, Any]] = (), base_channels: int | None = None) -> list[Variant]:
    """The plan as it is, and with one change each.

    Args:
        changes: settings of the plan to try in place of the usual ones.
        base_channels: width of all networks; AMSUnet's own when left out.

    Raises:
        InputError: for a setting that cannot be tried.
    """
    width = {} if base_channels is None else {"base_channels": base_channels}
    return [
        Variant(name=_name(settings), model="amsunet", options=width, settings=settings)
        for settings in ({}, *(changes or CHANGES))
    ]


def _name(settings: dict[str, Any]) -> str:
    """A change of the plan as it is said on the command line. Raises InputError if it cannot be tried."""
    for name, value in settings.items():
        check_setting(name, value)
        if name in _THE_SAME:
            raise InputError(f"{name} cannot be tried: it is the same for every training of a study")
    return " ".join(f"{name}={_word(value)}" for name, value in settings.items()) or "the plan"


def _word(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value).lower()


def _changes(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[dict[str, Any]]:
    """Each value is one change of the plan: NAME=VALUE, several with spaces between."""
    return [settings for value in values if (settings := settings_of(ctx, parameter, tuple(value.split())))]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--try",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_changes,
    help="A setting of the plan to try, in place of the usual ones; several at once with spaces between.",
)
@click.option("--base-channels", type=int, help="Width of the networks (default 32).")
@study_options
def recipe(data: str, changes: list[dict[str, Any]], base_channels: int | None, **values: Any) -> None:
    """Set one setting of the plan each against the plan as it is, on validation images."""
    click.get_current_context().with_resource(process_prepared())
    run_study(data, variants_of(changes, base_channels), default_name="recipe", title="AMSUnet: recipe", **values)


if __name__ == "__main__":
    main(recipe)
