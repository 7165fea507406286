"""`llmdrills history show`, `export` and `import`."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import note, print_json
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, complete_kata, find_kata, place
from llmdrills.cli.past_view import overview_text, past_text, told_diagnosis
from llmdrills.cli.record import open_history
from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.errors import HistoryError, UsageError
from llmdrills.files import replacing
from llmdrills.language import Bilingual
from llmdrills.practice.exchange import import_file, import_lines, write_export
from llmdrills.practice.history import History
from llmdrills.practice.past import code_of, repetitions

if TYPE_CHECKING:
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.practice.past import PastRepetition

__all__ = ["app"]

app = typer.Typer(
    help="Show what you did before, export the history, or import the one of another machine.\n\n\b\nExamples:\n"
    "  llmdrills history show rope-pairing\n"
    "  llmdrills history export > history.jsonl\n"
    "  llmdrills history import laptop.jsonl",
    no_args_is_help=True,
    rich_markup_mode=None,
)


_NO_ATTEMPT = Bilingual("{kata} has no attempt {number}", "{kata} 没有第 {number} 次提交")
_SHOW = Bilingual("`llmdrills history show {kata}` lists them", "运行 `llmdrills history show {kata}` 查看全部提交")
_WHOSE = Bilingual("--code needs a kata", "--code 需要指定练习")
_NAME_KATA = Bilingual("run `llmdrills history show KATA --code N`", "运行 `llmdrills history show KATA --code N`")


@app.command("show")
def show_command(
    kata: Annotated[
        str | None,
        typer.Argument(
            metavar="[KATA]",
            help="Only this kata, with its attempts.",
            autocompletion=complete_kata,
            show_default=False,
        ),
    ] = None,
    *,
    code: Annotated[
        int | None,
        typer.Option("--code", metavar="N", min=1, help="Print the code of attempt N alone.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="So many repetitions, at most.")] = 10,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show past repetitions: of one kata with every attempt, its verdict and its code.

    \b
    Examples:
      llmdrills history show
      llmdrills history show rope-pairing
      llmdrills history show rope-pairing --code 3 > earlier.py
      llmdrills history show rope-pairing --json
    """
    here = place(workspace, lang=lang)
    found = _kata(here, kata)
    past: list[PastRepetition] = []
    if here.locations.history_file.exists():  # looking around leaves no trace
        with open_history(here) as history:
            if code is not None:
                _print_code(history, kata, code)
                return
            past = repetitions(history, kata, limit)
    elif code is not None:
        raise UsageError(_NO_ATTEMPT.format(kata=kata, number=code), _SHOW.format(kata=kata))
    if json:
        print_json({"schema": 1, "repetitions": [one.to_json() for one in past]})
    elif kata is None:
        print(overview_text(past, here.language))
    else:
        diagnoses = told_diagnosis(with_slips(found)) if found is not None else {}
        print(past_text(past, diagnoses, here.language))


def _kata(here: Place, wanted: str | None) -> Kata | None:
    """The kata of that id; None for one that the workspace no longer has but the history does."""
    if wanted is None:
        return None
    katas = load_catalogue(here.workspace, here.locations.cache)
    if not any(kata.id == wanted for kata in katas) and here.locations.history_file.exists():
        with open_history(here) as history:
            if repetitions(history, wanted, 1):
                return None
    return find_kata(katas, wanted)


def _print_code(history: History, kata: str | None, number: int) -> None:
    if kata is None:
        raise UsageError(_WHOSE, _NAME_KATA)
    code = code_of(history, kata, number)
    if code is None:
        raise UsageError(_NO_ATTEMPT.format(kata=kata, number=number), _SHOW.format(kata=kata))
    sys.stdout.flush()
    sys.stdout.buffer.write(code)


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
