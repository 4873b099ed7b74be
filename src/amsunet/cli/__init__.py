"""The command line: it parses, calls and prints."""

from __future__ import annotations

import io
import re
import sys

import click

from amsunet import __version__
from amsunet.cli import check, compare, doctor, evaluate, explain, export, models, predict, train
from amsunet.cli.former_options import Commands
from amsunet.cli.process import own_process
from amsunet.errors import InputError
from amsunet.optional import describe_missing, is_optional

_OUT_OF_MEMORY = re.compile(
    "out of memory|not enough memory|can(no|')t allocate memory|failed to allocate", re.IGNORECASE
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@click.pass_context
def cli(context: click.Context) -> None:
    """Lightweight 2D medical image segmentation.

    DATA is a folder of images and masks in any usual layout, a CSV manifest (image, mask, group, split, roi), or
    sample:nuclei, sample:brain.
    """
    context.with_resource(own_process())


for command in (
    check.check, train.train, evaluate.evaluate, predict.predict, models.models, compare.compare, compare.ablate,
    explain.explain, export.export, models.zoo, doctor.doctor,
):  # fmt: skip
    cli.add_command(command)


def main(entry: click.Command | None = None) -> None:
    """Run the command line, or a command beside it; what a user can fix ends in one sentence and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit((entry or cli)(standalone_mode=False))
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
    except ModuleNotFoundError as error:
        # The base installation, for exported networks, lacks what the other commands need.
        if not is_optional(error.name or ""):
            raise
        click.echo(f"error: {describe_missing(error.name or '')}", err=True)
    except OSError as error:
        click.echo(f"error: {error}: free some space or fix the permissions, and run the command again", err=True)
    except (MemoryError, RuntimeError) as error:
        # torch reports memory with a RuntimeError, which is the parent of its own kind for GPUs.
        if isinstance(error, RuntimeError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        click.echo(
            "error: memory ran out: close other programs, or let the command take less at once "
            "(in training a smaller --batch-size or --crop)",
            err=True,
        )
    sys.exit(2)
