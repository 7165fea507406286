"""`llmdrills history export` and `import`."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from llmdrills.cli.console import note, print_json
from llmdrills.cli.options import JsonOption, place
from llmdrills.cli.record import open_history
from llmdrills.errors import HistoryError
from llmdrills.files import replacing
from llmdrills.practice.exchange import import_file, import_lines, write_export
from llmdrills.practice.history import History

__all__ = ["app"]

app = typer.Typer(
    help="Export the history, or import the one of another machine.\n\n\b\nExamples:\n"
    "  llmdrills history export > history.jsonl\n"
    "  llmdrills history import laptop.jsonl",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("export")
def export_command(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The file to write; stdout unless given.")
    ] = None,
) -> None:
    """Write every event as JSON lines: attempts with their code, hints, reviews.

    \b
    Examples:
      llmdrills history export > history.jsonl
      llmdrills history export history.jsonl
    """
    with open_history(place()) as history:
        if file is None:
            write_export(history, sys.stdout)
            return
        count = _replace(history, file)
    note(f"{count} events written to {file}")


def _replace(history: History, file: Path) -> int:
    """Write the export to a file beside it first, so that an interrupted export leaves an older one whole."""
    try:
        with replacing(file.absolute()) as out:
            text = io.TextIOWrapper(out, "utf-8", write_through=True)
            count = write_export(history, text)
            text.detach()
    except OSError as error:
        raise HistoryError(
            f"cannot write {file}: {error.strerror}", "name a file in a folder that can be written"
        ) from error
    return count


@app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` wrote; - for stdin.")],
    json: JsonOption = False,
) -> None:
    """Bring in events that are not here yet; the order of imports does not matter.

    \b
    Examples:
      llmdrills history import laptop.jsonl
      ssh laptop llmdrills history export | llmdrills history import -
    """
    with open_history(place()) as history:
        new, known = import_lines(history, sys.stdin, "stdin") if str(file) == "-" else import_file(history, file)
    if json:
        print_json({"schema": 1, "new": new, "known": known})
    else:
        print(f"{new} new events, {known} known already")
