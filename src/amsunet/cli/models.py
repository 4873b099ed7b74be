"""``amsunet models`` and ``amsunet zoo``: the networks that there are, untrained and trained."""

from __future__ import annotations

import click

from amsunet.console import echo
from amsunet.text_table import aligned


@click.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List every network: parameters, multiply-accumulate operations, receptive field, source."""
    if context.invoked_subcommand is not None:
        return
    from amsunet.models import list_models, summarise_model  # noqa: PLC0415

    cells = [["network", "parameters", "GMACs at 256", "at 480", "sees pixels", "source"]]
    for name in list_models():
        summary = summarise_model(name)
        macs = [f"{one / 1e9:.2f}" for one in (summary.macs_256, summary.macs_480)]
        sight = "all" if summary.receptive_field is None else str(summary.receptive_field)
        cells.append([name, f"{summary.parameters:,}", *macs, sight, summary.source])
    echo("\n".join(aligned(cells, wide=200, right=range(1, 5))), lines=True)
    echo("at 3 channels and 2 classes; gates that average over the whole image are left out of what is seen")


@models.command("check")
@click.argument("model", metavar="NAME|FILE.py:FUNCTION")
def check_model(model: str) -> None:
    """Try on a network what every network here promises; FUNCTION(in_channels, num_classes) builds it."""
    from amsunet.inference.model_file import build_network  # noqa: PLC0415
    from amsunet.models.contract import check_contract  # noqa: PLC0415

    build_network(model, {"in_channels": 3, "num_classes": 2})
    broken = 0
    for promise, problem in check_contract(lambda **arguments: build_network(model, arguments)):
        echo(f"{'kept  ' if problem is None else 'BROKEN'}  {promise}{'' if problem is None else f': {problem}'}")
        broken += problem is not None
    if broken:
        echo(f"error: {model} breaks {broken} promises: fix them before training", err=True)
        raise SystemExit(2)


@click.command()
@click.argument("name", required=False)
def zoo(name: str | None) -> None:
    """List the trained networks that come with the package, or show the card of one."""
    from amsunet.errors import InputError  # noqa: PLC0415
    from amsunet.zoo import PREFIX, list_zoo, read_card  # noqa: PLC0415

    if name is not None:
        echo(str(read_card(name.removeprefix(PREFIX))), lines=True)
        return
    cards = list_zoo()
    wide = max((len(card.name) for card in cards), default=0) + 1
    for card in cards:
        if not card.weights.is_file():
            raise InputError(f"{card.weights} is missing: install amsunet again, which it comes with")
        size = card.weights.stat().st_size / 1e6
        echo(f"{card.name:<{wide}}{card.finds}")
        echo(f"{'':<{wide}}test {card.test}; {size:.1f} MB; weights: {card.licence}")
    echo("amsunet zoo NAME shows the card, amsunet predict zoo:NAME IMAGES --out masks segments; not for diagnosis")
