"""The command line: it parses, calls and prints."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from amsunet import __version__
from amsunet.cli import check, compare, doctor, evaluate, explain, export, models, page, predict, train
from amsunet.cli.former_options import Commands
from amsunet.cli.process import end_quickly, process_prepared
from amsunet.console import echo
from amsunet.errors import InputError
from amsunet.memory import is_out_of_memory
from amsunet.optional import describe_missing, is_optional

_LESS_AT_ONCE = {
    **dict.fromkeys(("train", "check"), "with a smaller --batch-size or --crop, or --base-channels 8"),
    **dict.fromkeys(("compare", "ablate"), "with a smaller --batch-size or --crop, or --jobs 1"),
    **dict.fromkeys(("predict", "evaluate"), "with a smaller --image-scale"),
}
"""What a command can be given to take less memory."""


BROKEN_PIPE = 141
"""The exit code of a process that SIGPIPE ended: 128 and the signal's number."""


class _Commands(Commands):
    """The commands, which end quietly once nobody reads what they print, as after ``| head``."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            with contextlib.suppress(OSError, ValueError):  # what is left of the output goes nowhere
                nowhere = os.open(os.devnull, os.O_WRONLY)
                for stream in (sys.stdout, sys.stderr):
                    os.dup2(nowhere, stream.fileno())
            raise SystemExit(BROKEN_PIPE) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
@click.pass_context
def cli(context: click.Context) -> None:
    """Lightweight 2D medical image segmentation.

    DATA is a folder of images and masks in any usual layout, a CSV manifest (image, mask, group, split, roi), or
    sample:nuclei, sample:brain.
    """
    context.with_resource(process_prepared())


for command in (
    check.check, train.train, evaluate.evaluate, predict.predict, models.models, compare.compare, compare.ablate,
    explain.explain, export.export, page.page, models.zoo, doctor.doctor,
):  # fmt: skip
    cli.add_command(command)


def main(entry: click.Command | None = None) -> None:
    """Run the command line, or a command beside it; what a user can fix ends in one sentence and exit code 2."""
    end_quickly()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold what the terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.exit((entry or cli)(standalone_mode=False))
    except InputError as error:
        echo(f"error: {error}", err=True)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
    except click.Abort:
        echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        context = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "amsunet"
        echo(f"error: {error.format_message()} ({context} --help lists all)", err=True, lines=True)
    except ModuleNotFoundError as error:
        # The base installation, for exported networks, lacks what the other commands need.
        if not is_optional(error.name or ""):
            raise
        echo(f"error: {describe_missing(error.name or '')}", err=True)
    except OSError as error:
        echo(f"error: {error}: free some space or fix the permissions, and run the command again", err=True)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        echo(f"error: memory ran out: {_describe_less(sys.argv[1:])}", err=True)
    sys.exit(2)


def _describe_less(words: Sequence[str]) -> str:
    """What to do where memory ran out, by the words of the command."""
    name = next((word for word in words if not word.startswith("-")), "")
    if name == "train" and any(word.split("=")[0] == "--resume" for word in words):
        return (
            "close other programs and run the command again, or train anew with a smaller --batch-size or --crop; what "
            "was reached is kept"
        )
    less = _LESS_AT_ONCE.get(name)
    return "close other programs and run the command again" + (f", or run it {less}" if less else "")
