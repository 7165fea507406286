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
from llmdrills.cli.anki_view import REFRESH, doctor_text, expected_lines, happened_lines, patch, pull_json, pull_lines
from llmdrills.cli.commands.build import out_folder
from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.manual import manual
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

__all__ = ["HELP", "app"]

HELP = manual(
    Bilingual(
        "Bring back from Anki what happened there, and hand it new packages.",
        "取回在 Anki 中的复习和改动，并把新的牌组包交给它。",
    ),
    "llmdrills anki import ~/.local/share/Anki2/Me/collection.anki2",
    "llmdrills anki import --live",
    "llmdrills anki doctor collection.colpkg",
    more=Bilingual(
        "Nothing of a collection is ever written but by Anki itself: a copy is read.",
        "集合只由 Anki 自己写入；本命令读取的是副本。",
    ),
)
app = typer.Typer(help=told(HELP), no_args_is_help=True, rich_markup_mode=None)
_IMPORT_HELP = manual(
    Bilingual("Take the reviews of your notes from Anki into the history.", "把 Anki 中的复习记录导入历史记录。"),
    "llmdrills anki import ~/.local/share/Anki2/Me/collection.anki2",
    "llmdrills anki import deck.apkg",
    "llmdrills anki import --live",
    more=Bilingual(
        "Anki may be running. Importing twice adds nothing, and what others' notes say is not looked at.",
        "Anki 可以正在运行。重复导入不会重复计数，也不会查看别人的笔记。",
    ),
)
_DOCTOR_HELP = manual(
    Bilingual(
        "Say of each of your notes in Anki whether it is as in the last release, why not, and what to do.",
        "逐条检查 Anki 中的笔记是否与最新版本一致；不一致时说明原因和做法。",
    ),
    "llmdrills anki doctor --live",
    "llmdrills anki doctor ~/.local/share/Anki2/Me/collection.anki2 --json",
    more=Bilingual("It ends with 1 where something is to be done.", "有需要处理的笔记时，退出码为 1。"),
)
_PULL_HELP = manual(
    Bilingual(
        "Bring your own edits of the notes back from Anki into the deck files.",
        "把你在 Anki 中对笔记的改动写回牌组文件。",
    ),
    "llmdrills anki pull --live",
    "llmdrills anki pull collection.colpkg > edits.patch",
    "llmdrills anki pull collection.colpkg --yes",
    more=Bilingual(
        "It prints a patch, and writes it only after a look: when you say so, or with --yes. `llmdrills build` then "
        "releases what you wrote. What no Markdown can say is shown and left to you.",
        "先打印补丁，看过之后才写入：由你确认，或加上 --yes。之后用 `llmdrills build` 发布这些改动。"
        "无法用 Markdown 表示的改动会列出来，由你自己处理。",
    ),
)
_PUSH_HELP = manual(
    Bilingual(
        "Import the packages into a running Anki, and say what changed.",
        "把牌组包导入正在运行的 Anki，并说明有哪些变化。",
    ),
    "llmdrills anki push",
    "llmdrills anki push build/llmdrills-en.apkg --dry-run",
    more=Bilingual(
        "It asks the add-on AnkiConnect (settings `anki_url`, `anki_key`). Nothing is deleted, and no review is "
        "touched.",
        "通过 AnkiConnect 插件进行（设置项 `anki_url`、`anki_key`）。不会删除任何内容，也不会改动复习记录。",
    ),
)

_FOUND = Bilingual(
    "{notes} of your notes are there, {reviewed} of them reviewed (English and Chinese of a note are one).",
    "其中有你的 {notes} 条笔记，已复习 {reviewed} 条（同一条笔记的中英文算作一条）。",
)
_NEW = Bilingual("New reviews: {new} of {reviews}.", "共 {reviews} 次复习，新增 {new} 次。")
_ESTIMATED = Bilingual(
    "FSRS is off for some cards ({n}): their chance of recall is an estimate from Anki's interval. Turn FSRS on in the "
    "deck options for a better one.",
    "有 {n} 张卡片没有启用 FSRS，保持率由 Anki 的间隔估算。在牌组选项中启用 FSRS 后会更准确。",
)
_NEXT = Bilingual("`llmdrills readiness` counts them.", "运行 `llmdrills readiness` 查看计入后的结果。")


@app.command("import", help=told(_IMPORT_HELP))
def import_command(
    path: PathArgument = None,
    live: LiveOption = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills anki import`."""
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


@app.command("doctor", help=told(_DOCTOR_HELP))
def doctor_command(
    path: PathArgument = None,
    live: LiveOption = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills anki doctor`."""
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


@app.command("pull", help=told(_PULL_HELP))
def pull_command(
    path: PathArgument = None,
    live: LiveOption = False,
    *,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help=told(Bilingual("Write the changes without asking.", "不询问，直接写入。"))),
    ] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills anki pull`."""
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


@app.command("push", help=told(_PUSH_HELP))
def push_command(
    packages: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PACKAGE",
            help=told(
                Bilingual("Packages to import; those in build/ unless given.", "要导入的牌组包；默认为 build/ 中的。")
            ),
        ),
    ] = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help=told(Bilingual("Import without asking.", "不询问，直接导入。")))
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help=told(Bilingual("Say what Anki would do, and import nothing.", "只说明 Anki 会做什么，不导入。")),
        ),
    ] = False,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills anki push`."""
    from llmdrills.anki import push as pushing
    from llmdrills.anki.live import read_live, read_path

    here = place(workspace, lang=lang)
    loaded = load_workspace(here.workspace, here.locations.cache)
    released_lock(loaded)  # or there is nothing to import
    anki = connect(here)
    chosen = packages_of(packages, out_folder(here))
    ours = our_guids(loaded, here.locations.data / "mine")
    names = {guid: f"{one.language} {one.note}" for guid, one in ours.items()}
    before = read_live(anki, names)
    held = [read_path(path, names) for path in chosen]
    expected = pushing.expect(held, before, ours)
    if not json:
        for line in expected_lines(expected, here.language):
            tell(line)
    pushing.check_own_words(held, before, ours)
    if dry_run or not (yes or json or agreed(_IMPORT_NOW, here.language)):
        if json:
            print_json({"schema": 1, "imported": False, "expected": [one._asdict() for one in expected]})
        else:
            note(_NOT_IMPORTED[here.language])
        return
    pushing.push(anki, chosen)
    happened = pushing.compare(anki, before, names)
    if json:
        plain = {"expected": [one._asdict() for one in expected], "happened": happened._asdict()}
        print_json({"schema": 1, "imported": True, **plain})
        return
    for line in happened_lines(happened, here.language):
        tell(line)
    if happened.new or happened.updated:
        note(REFRESH[here.language])


_IMPORT_NOW = Bilingual("Import now?", "现在导入？")
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
    "Texts written: {n}. Run `llmdrills check --quick` and `llmdrills build`, and import the packages.",
    "已写入 {n} 段文字。请运行 `llmdrills check --quick` 和 `llmdrills build`，再导入牌组包。",
)
_NOT_WRITTEN = Bilingual("Nothing was written: --yes writes it.", "没有写入任何内容：加 --yes 写入。")
_MEANWHILE = Bilingual("{path} was changed meanwhile", "{path} 刚刚被修改过")
_AGAIN = Bilingual("run this again", "请重新运行")
_CANNOT_WRITE = Bilingual("cannot write {path}: {why}", "无法写入 {path}：{why}")
_RIGHTS = Bilingual("make it writable, then run this again", "请使其可写后重新运行")
