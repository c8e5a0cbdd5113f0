"""The command ``cop-imaging``: the commands in the order in which a newcomer meets them.

Nothing heavy is imported here: each command imports what it needs when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from cop_imaging.cli.analyze import analyze
from cop_imaging.cli.batch import batch
from cop_imaging.cli.collect import collect
from cop_imaging.cli.config import config
from cop_imaging.cli.faults import guarded
from cop_imaging.cli.index import index
from cop_imaging.cli.phantom import phantom, phantoms
from cop_imaging.cli.schema import schema
from cop_imaging.cli.signs import signs
from cop_imaging.cli.status import status
from cop_imaging.cli.train import train

__all__ = ["app", "main"]

# Plain help and plain errors: rich would double the time that --help takes.
app = typer.Typer(
    name="cop-imaging",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (analyze, batch, status, collect, index, signs, schema, config, phantom, phantoms, train):
    app.command()(command)


@guarded
def _print_versions() -> None:
    from cop_imaging.provenance import versions

    for package, version in versions().items():
        print(package, version)


def _version(wanted: bool) -> None:
    if wanted:
        _print_versions(traceback=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Print the versions that can change a number, and exit.",
            show_default=False,
        ),
    ] = False,
) -> None:
    """From a chest CT series to measured signs of organizing pneumonia and an explained likelihood.

    For research use only, not for diagnosis.
    """


def main() -> None:
    """Run the command line."""
    app(prog_name="cop-imaging")
