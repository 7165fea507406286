"""`llmdrills anki import`, `doctor`, `pull` and `push`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.anki.ours import our_guids
from llmdrills.cli.anki_source import (
    LiveOption,
    PathArgument,
    agreed,
    collection_of,
    connect,
    packages_of,
    planned_notes,
    released_lock,
    remember_ready,
    tell_none,
)
from llmdrills.cli.anki_view import doctor_text, expected_lines, happened_lines, patch, pull_json, pull_lines
from llmdrills.cli.commands.build import out_folder
from llmdrills.cli.console import note, print_json, tell
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, own_workspace, place
from llmdrills.cli.record import open_history
from llmdrills.content import load_workspace
from llmdrills.errors import UsageError
from llmdrills.files import write_atomically
from llmdrills.language import Bilingual
from llmdrills.practice import backups

if TYPE_CHECKING:
    from llmdrills.anki.pull import Pull
    from llmdrills.from_anki import Taken
    from llmdrills.language import Language

__all__ = ["app"]

app = typer.Typer(
    help="Bring back from Anki what happened there, and hand it new packages.\n\n\b\n"
    "Examples:\n"
    "  llmdrills anki import ~/.local/share/Anki2/Me/collection.anki2\n"
    "  llmdrills anki import --live\n"
    "  llmdrills anki doctor collection.colpkg\n\n"
    "Nothing of a collection is ever written but by Anki itself: a copy is read.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_FOUND = Bilingual(
    "{notes} of your notes are there, {reviewed} of them reviewed (English and Chinese of a note are one).",
    "其中有你的 {notes} 条笔记，已复习 {reviewed} 条（同一条笔记的中英文算作一条）。",
)
_NEW = Bilingual("{new} of {reviews} reviews are new.", "共 {reviews} 次复习，新增 {new} 次。")
_ESTIMATED = Bilingual(
    "FSRS is off for {n} cards: their chance of recall is an estimate from Anki's interval. Turn FSRS on in the deck "
    "options for a better one.",
    "有 {n} 张卡片没有启用 FSRS，保持率由 Anki 的间隔估算。在牌组选项中启用 FSRS 后会更准确。",
)
_NEXT = Bilingual("`llmdrills readiness` counts them.", "运行 `llmdrills readiness` 查看计入后的结果。")


@app.command("import")
def import_command(
    path: PathArgument = None,
    live: LiveOption = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Take the reviews of your notes from Anki into the history.

    \b
    Examples:
      llmdrills anki import ~/.local/share/Anki2/Me/collection.anki2
      llmdrills anki import deck.apkg
      llmdrills anki import --live

    Anki may be running. Importing twice adds nothing, and what others' notes say is not looked at.
    """
    from llmdrills.from_anki import take

    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace, here.locations.cache)
    ours = our_guids(loaded, here.locations.data / "mine")  # `build --mine` keeps its lock there
    collection = collection_of(here, path, ours, live=live)
    remember_ready(here, loaded)
    with open_history(here) as history:
        backups.keep(history, always=True)
        taken = take(history, collection, ours)
    remember_ready(here, loaded)
    if json:
        print_json({"schema": 1, **taken._asdict()})
        return
    if not taken.notes:
        tell_none(here, collection)
        return
    _tell(taken, here.language)


def _tell(taken: Taken, language: Language) -> None:
    tell(_FOUND.format(notes=taken.notes, reviewed=taken.reviewed)[language])
    tell(_NEW.format(new=taken.new, reviews=taken.reviews)[language])
    if taken.estimated:
        note(_ESTIMATED.format(n=taken.estimated)[language])
    tell(_NEXT[language])


@app.command("doctor")
def doctor_command(
    path: PathArgument = None,
    live: LiveOption = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Say of each of your notes in Anki whether it is as in the last release, why not, and what to do.

    \b
    Examples:
      llmdrills anki doctor --live
      llmdrills anki doctor ~/.local/share/Anki2/Me/collection.anki2 --json

    It ends with 1 where something is to be done.
    """
    from llmdrills.anki.doctor import examine

    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace, here.locations.cache)
    lock = released_lock(loaded)
    collection = collection_of(here, path, our_guids(loaded), live=live)
    report = examine(lock, planned_notes(here, loaded), collection)
    if json:
        print_json(report.to_json())
    elif not report.found:
        tell_none(here, collection)
    else:
        tell(doctor_text(report, here.language))
    raise typer.Exit(0 if report.healthy and report.found else 1)


@app.command("pull")
def pull_command(
    path: PathArgument = None,
    live: LiveOption = False,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write the changes without asking.")] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Bring your own edits of the notes back from Anki into the deck files.

    \b
    Examples:
      llmdrills anki pull --live
      llmdrills anki pull collection.colpkg > edits.patch
      llmdrills anki pull collection.colpkg --yes

    It prints a patch, and writes it only after a look: when you say so, or with --yes. `llmdrills build` then releases
    what you wrote. What no Markdown can say is shown and left to you.
    """
    from llmdrills.anki.pull import pull

    here = place(workspace, lang=lang)
    root = own_workspace(workspace, here)
    loaded = load_workspace(root, here.locations.cache)
    ours = our_guids(loaded)
    collection = collection_of(here, path, ours, live=live)
    found = pull(loaded, released_lock(loaded), planned_notes(here, loaded), collection, ours)
    if json:
        print_json(pull_json(found, written=yes))
    else:
        sys.stdout.write(patch(found))
        for line in pull_lines(found, here.language):
            note(line)
    if found.files and (yes or (not json and agreed(_WRITE, here.language))):
        _write(root, found)
        if not json:
            tell(_WRITTEN.format(n=len(found.changes))[here.language])
    elif found.files and not json:
        note(_NOT_WRITTEN[here.language])


@app.command("push")
def push_command(
    packages: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PACKAGE]...", help="Packages to import; those in build/ unless given."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Import without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what Anki would do, and import nothing.")] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Import the packages into a running Anki, and say what changed.

    \b
    Examples:
      llmdrills anki push
      llmdrills anki push build/llmdrills-en.apkg --dry-run

    It asks the add-on AnkiConnect (settings `anki_url`, `anki_key`). Nothing is deleted, and no review is touched.
    """
    from llmdrills.anki import push as pushing
    from llmdrills.anki.live import read_live

    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace, here.locations.cache)
    lock = released_lock(loaded)
    anki = connect(here)
    chosen = packages_of(packages, out_folder(here))
    names = {guid: f"{one.language} {one.note}" for guid, one in our_guids(loaded).items()}
    before = read_live(anki, names)
    expected = pushing.expect(lock, before, [language for language, _ in chosen])
    if not json:
        for line in expected_lines(expected, here.language):
            tell(line)
    if dry_run or not (yes or json or agreed(_IMPORT, here.language)):
        if json:
            print_json({"schema": 1, "imported": False, "expected": [one._asdict() for one in expected]})
        else:
            note(_NOT_IMPORTED[here.language])
        return
    pushing.push(anki, [path for _, path in chosen])
    happened = pushing.compare(anki, before, names)
    if json:
        plain = {"expected": [one._asdict() for one in expected], "happened": happened._asdict()}
        print_json({"schema": 1, "imported": True, **plain})
        return
    for line in happened_lines(happened, here.language):
        tell(line)


_IMPORT = Bilingual("Import now?", "现在导入？")
_NOT_IMPORTED = Bilingual("Nothing was imported: --yes imports it.", "没有导入：加 --yes 导入。")


def _write(root: Path, found: Pull) -> None:
    for file, (before, after) in found.files.items():
        target = root / file
        try:
            if target.read_bytes().decode("utf-8") != before:
                raise UsageError(_MEANWHILE.format(path=target), _AGAIN)
            write_atomically(target, after)
        except OSError as error:
            raise UsageError(_CANNOT_WRITE.format(path=target, why=error.strerror), _RIGHTS) from error


_WRITE = Bilingual("Write these changes?", "写入这些改动？")
_WRITTEN = Bilingual(
    "{n} texts written. Run `llmdrills check --quick` and `llmdrills build`, and import the packages.",
    "已写入 {n} 段文字。请运行 `llmdrills check --quick` 和 `llmdrills build`，再导入牌组包。",
)
_NOT_WRITTEN = Bilingual("Nothing was written: --yes writes it.", "没有写入任何内容：加 --yes 写入。")
_MEANWHILE = Bilingual("{path} was changed meanwhile", "{path} 刚刚被修改过")
_AGAIN = Bilingual("run this again", "请重新运行")
_CANNOT_WRITE = Bilingual("cannot write {path}: {why}", "无法写入 {path}：{why}")
_RIGHTS = Bilingual("make it writable, then run this again", "请使其可写后重新运行")
