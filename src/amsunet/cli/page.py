"""``amsunet page``: segment in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from amsunet.cli.options import model_file_option
from amsunet.console import echo

if TYPE_CHECKING:
    from amsunet.inference.model_ref import ModelRef


def _resolve_models(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> list[ModelRef]:
    from amsunet.inference.model_ref import ModelRef  # noqa: PLC0415

    return [ModelRef.resolve(one) for one in value]


@click.command()
@click.argument("models", metavar="[RUN]...", nargs=-1, callback=_resolve_models)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of this machine (default: any free one).")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@model_file_option
def page(models: list[ModelRef], port: int, no_browser: bool, model_file: str | None) -> None:
    """Open a page to segment images in a browser, on this machine alone; no image leaves it. Ctrl-C ends it.

    RUN is a run folder, a network of amsunet zoo (zoo:NAME), or an ONNX file that amsunet export made; several give a
    choice, and none gives the light networks of the zoo.
    """
    import threading  # noqa: PLC0415
    import webbrowser  # noqa: PLC0415

    from amsunet.deployment.page_files import page_files  # noqa: PLC0415
    from amsunet.deployment.web import networks_of  # noqa: PLC0415
    from amsunet.process_state import terminated_like_interrupted  # noqa: PLC0415
    from amsunet.serving.page_server import PageServer  # noqa: PLC0415

    with terminated_like_interrupted():
        files = page_files(networks_of(models, model_file=model_file), level=1)
        with PageServer(files, port) as server:
            echo(f"the page is at {server.address} until Ctrl-C; images stay on this machine")
            if not no_browser:
                threading.Thread(target=webbrowser.open, args=(server.address,), daemon=True).start()
            try:
                server.serve_forever()
            except KeyboardInterrupt:  # the way to end it
                echo("stopped", err=True)
