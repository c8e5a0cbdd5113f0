"""How a command ends: one readable line on stderr and the exit code of what went wrong.

0 done, 1 a bug or no memory left, 2 a wrong call, 3 an unusable series, 4 configuration, 5 model, 6 some series of a
batch failed, 7 a source that refuses, 8 output that cannot be written, 130 interrupted, 141 the reader of the output
went away.
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback as tracebacks
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cop_imaging.errors import CopImagingError

__all__ = ["BROKEN_PIPE", "BUG", "INTERRUPTED", "SOME_FAILED", "guarded"]

BUG = 1
SOME_FAILED = 6
INTERRUPTED = 130
BROKEN_PIPE = 141

TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Show where in the code an error came from.", show_default=False)
]


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """A command that ends with a line and an exit code instead of a traceback, and has the option ``--traceback``."""

    @functools.wraps(command)
    def run(*arguments: Any, traceback: bool, **options: Any) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except typer.Exit:
            raise
        except BrokenPipeError as error:
            # What is still buffered has no reader: without this the interpreter complains at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from error
        except KeyboardInterrupt as error:
            _say("interrupted")
            raise typer.Exit(INTERRUPTED) from error
        except CopImagingError as error:
            if traceback:
                tracebacks.print_exc()
            _say(f"error: {' '.join(str(error).split())}")
            raise typer.Exit(error.exit_code) from error
        except MemoryError as error:
            _say("error: not enough memory; close other programs or use a machine with more")
            raise typer.Exit(BUG) from error
        except Exception as error:
            if traceback:
                tracebacks.print_exc()
            # Only the type: the text of an unforeseen error may hold a path or a header value.
            hint = "" if traceback else "; repeat the call with --traceback to see where it happened"
            _say(f"error: {type(error).__name__}: this is a bug in cop-imaging, not in your data{hint}")
            raise typer.Exit(BUG) from error

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("traceback", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=TracebackOption)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "traceback": TracebackOption}
    return run


def _say(line: str) -> None:
    print(f"cop-imaging: {line}", file=sys.stderr)
