"""What the commands share: errors of one line, JSON, and tables of a fixed width in pipes."""

import sys
from typing import Annotated, Any, NoReturn

import typer

__all__ = ["JSON", "PIPE_WIDTH", "console", "print_json", "stop"]

PIPE_WIDTH = 120
"""Columns of tables where the output is not a terminal."""

JSON = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]


def stop(message: str, code: int, command: str = "") -> NoReturn:
    """Print the message as one line on standard error and exit with the code."""
    name = "argus-gym" if command in ("", "argus-gym") else f"argus-gym {command}"
    print(f"{name}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


def print_json(data: Any) -> None:
    """Print records and plain data as JSON."""
    from argus_gym.checkpoint import dumps
    from argus_gym.records import encode

    print(dumps(encode(data), indent=2), end="")


def console(stream: Any) -> Any:
    """Return a console for the stream, ``PIPE_WIDTH`` wide where it is no terminal."""
    from rich.console import Console

    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH)
