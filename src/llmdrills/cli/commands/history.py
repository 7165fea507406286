"""`llmdrills history show`, `export`, `import` and `restore`."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.anki_source import remember_ready
from llmdrills.cli.console import note, print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, complete_kata, find_kata, place
from llmdrills.cli.packs import all_katas
from llmdrills.cli.past_view import overview_text, past_text, told_diagnosis
from llmdrills.cli.record import open_history
from llmdrills.content.catalogue import with_slips
from llmdrills.errors import HistoryError, UsageError
from llmdrills.files import replacing
from llmdrills.language import Bilingual, counted
from llmdrills.lines import whole
from llmdrills.practice import backups
from llmdrills.practice.exchange import import_file, import_lines, write_export
from llmdrills.practice.history import History
from llmdrills.practice.past import code_of, repetitions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata
    from llmdrills.language import Language
    from llmdrills.practice.backups import Backup
    from llmdrills.practice.exchange import SetAside
    from llmdrills.practice.past import PastRepetition

__all__ = ["HELP", "app"]

HELP = manual(
    Bilingual(
        "Show what you did before, export the history, import the one of another machine, or restore a backup.",
        "查看以往的练习，导出历史记录，导入另一台机器的历史记录，或从备份恢复。",
    ),
    "llmdrills history show rope-pairing",
    "llmdrills history export > history.jsonl",
    "llmdrills history import laptop.jsonl",
    "llmdrills history restore",
)
app = typer.Typer(help=told(HELP), no_args_is_help=True, rich_markup_mode=None)
_SHOW_HELP = manual(
    Bilingual(
        "Show past repetitions: of one kata with every attempt, its verdict and its code.",
        "查看以往的练习；指定练习时，列出每次提交的评分结果和代码。",
    ),
    "llmdrills history show",
    "llmdrills history show rope-pairing",
    "llmdrills history show rope-pairing --code 3 > earlier.py",
    "llmdrills history show rope-pairing --json",
)
_EXPORT_HELP = manual(
    Bilingual(
        "Write every event as JSON lines.\n\nAttempts come with their code.",
        "以 JSON Lines 格式导出全部记录。\n\n每次提交都附带代码。",
    ),
    "llmdrills history export > history.jsonl",
    "llmdrills history export history.jsonl",
)
_IMPORT_HELP = manual(
    Bilingual(
        "Bring in events that are not here yet.\n\nThe order of imports does not matter.",
        "导入这里还没有的记录。\n\n导入的先后顺序不影响结果。",
    ),
    "llmdrills history import laptop.jsonl",
    "ssh laptop llmdrills history export | llmdrills history import -",
    more=Bilingual(
        "An event with a value that no event can have, such as a rating of 99, is set aside and named. A backup "
        "is made first: `llmdrills history restore --replace` goes back to it.",
        "数值不合理的记录（例如评级为 99）不会导入，并会逐条列出。导入前会先备份："
        "运行 `llmdrills history restore --replace` 可恢复到导入之前。",
    ),
)
_RESTORE_HELP = manual(
    Bilingual(
        "Bring back from a backup what the history lacks.\n\nA backup is made on each day of practice, and five "
        "are kept.",
        "从备份中补回历史里缺少的记录。\n\n每个练习日备份一次，保留最近五份。",
    ),
    "llmdrills history restore",
    "llmdrills history restore --list",
    "llmdrills history restore 2026-06-07 --replace",
    more=Bilingual(
        "Nothing that is there is changed, unless --replace says so: then what was there is kept in a file beside it.",
        "现有记录不会改动；只有加上 --replace 才会替换，原有记录另存为同一文件夹下的文件。",
    ),
)


_NO_ATTEMPT = Bilingual("{kata} has no attempt {number}", "{kata} 没有第 {number} 次提交")
_SHOW = Bilingual("`llmdrills history show {kata}` lists them", "运行 `llmdrills history show {kata}` 查看全部提交")
_WHOSE = Bilingual("--code needs a kata", "--code 需要指定练习")
_NAME_KATA = Bilingual("run `llmdrills history show KATA --code N`", "运行 `llmdrills history show KATA --code N`")


@app.command("show", help=told(_SHOW_HELP))
def show_command(
    kata: Annotated[
        str | None,
        typer.Argument(
            metavar="[KATA]",
            help=told(Bilingual("Only this kata, with its attempts.", "只看这个练习，并列出每次提交。")),
            autocompletion=complete_kata,
            show_default=False,
        ),
    ] = None,
    *,
    code: Annotated[
        int | None,
        typer.Option(
            "--code",
            metavar="N",
            min=1,
            help=told(Bilingual("Print the code of attempt N alone.", "只打印第 N 次提交的代码。")),
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help=told(Bilingual("Show this many repetitions at most.", "最多显示几次练习。")),
        ),
    ] = 10,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills history show`."""
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
        tell(overview_text(past, here.language))
    else:
        diagnoses = told_diagnosis(with_slips(found)) if found is not None else {}
        tell(past_text(past, diagnoses, here.language))


def _kata(here: Place, wanted: str | None) -> Kata | None:
    """The kata of that id; None for one that the workspace no longer has but the history does."""
    if wanted is None:
        return None
    katas = all_katas(here)
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


@app.command("export", help=told(_EXPORT_HELP))
def export_command(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help=told(Bilingual("The file to write; stdout unless given.", "要写入的文件；默认写到标准输出。")),
        ),
    ] = None,
    lang: LangOption = None,
) -> None:
    """Run `llmdrills history export`."""
    here = place(lang=lang)
    with open_history(here) as history:
        if file is None:
            write_export(history, sys.stdout)
            return
        count = _replace(history, file)
    note(_EXPORTED.format(events=counted(count, "event", "条记录"), file=whole(file))[here.language])


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


@app.command("import", help=told(_IMPORT_HELP))
def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help=told(Bilingual("What `export` wrote; - for stdin.", "`export` 写出的文件；- 表示标准输入。")),
        ),
    ],
    lang: LangOption = None,
    json: JsonOption = False,
) -> None:
    """Run `llmdrills history import`."""
    here = place(lang=lang)
    remember_ready(here)
    with open_history(here) as history:
        backups.keep(history, always=True)
        found = import_lines(history, sys.stdin, "stdin") if str(file) == "-" else import_file(history, file)
    if json:
        aside = [{"line": one.line, "kind": one.kind, "id": one.id, "what": one.message.en} for one in found.set_aside]
        print_json({"schema": 1, "new": found.new, "known": found.known, "set_aside": aside})
        return
    new = counted(found.new, "new event", "条")[here.language]
    tell(_IMPORTED.format(new=new, known=found.known)[here.language])
    for line in _set_aside(found.set_aside, here.language):
        note(line)


def _set_aside(events: Sequence[SetAside], language: Language) -> Iterator[str]:
    """What to say of the events that were not taken: the first few by name."""
    if events:
        yield _SET_ASIDE.format(n=len(events))[language]
    for one in events[:_NAMED]:
        yield f"  {one.message[language]}"
    if len(events) > _NAMED:
        yield _MORE.format(n=len(events) - _NAMED)[language]


@app.command("restore", help=told(_RESTORE_HELP))
def restore_command(
    backup: Annotated[
        str | None,
        typer.Argument(
            metavar="[BACKUP]",
            help=told(
                Bilingual(
                    "The beginning of its name; the newest unless given.", "备份名称的开头部分；默认为最新的备份。"
                )
            ),
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help=told(Bilingual("Go back to it: drop what came after.", "退回到这份备份，丢弃之后的记录。")),
        ),
    ] = False,
    list_them: Annotated[
        bool, typer.Option("--list", help=told(Bilingual("List the backups.", "列出全部备份。")))
    ] = False,
    lang: LangOption = None,
    json: JsonOption = False,
) -> None:
    """Run `llmdrills history restore`."""
    here = place(lang=lang)
    path = here.locations.history_file
    if list_them:
        _list(backups.listed(path), here.language, json=json)
        return
    chosen = backups.find(path, backup)
    with open_history(here) as history:
        done = backups.replace(history, chosen) if replace else backups.restore(history, chosen)
    if json:
        aside = str(done.aside) if done.aside else None
        print_json({"schema": 1, "backup": chosen.name, "events": done.events, "aside": aside})
        return
    said = _REPLACED if replace else (_RESTORED if done.events else _NOTHING)
    words = {"events": counted(done.events, "event", "条")[here.language], "aside": whole(done.aside)}
    tell(said.format(n=done.events, name=chosen.name, **words)[here.language])


def _list(found: Sequence[Backup], language: Language, *, json: bool) -> None:
    if json:
        rows = [{"name": one.name, "events": one.events, "file": str(one.file)} for one in found]
        print_json({"schema": 1, "backups": rows})
        return
    for one in found:
        events = counted(one.events, "event", "条")[language]
        tell(_LISTED.format(name=one.name, n=events, file=whole(one.file))[language], table=True)
    if not found:
        note(_NO_BACKUPS[language])


_NAMED = 10
_EXPORTED = Bilingual("{events} written to {file}", "已将 {events}写入 {file}")
_IMPORTED = Bilingual("{new}, {known} known already", "新增 {new}，已有 {known} 条")
_SET_ASIDE = Bilingual(
    "Not taken, because of values that no event can have: {n}. The file still holds them; correct it and import it "
    "again, or leave them out.",
    "有 {n} 条因数值不合理而未导入。它们仍在文件里：可以改正后重新导入，也可以不管。",
)
_MORE = Bilingual("  and {n} more; --json lists them all", "  另有 {n} 条；--json 会全部列出")
_LISTED = Bilingual("{name}  {n:>14}  {file}", "{name}  {n:>9}  {file}")
_NO_BACKUPS = Bilingual(
    "There is no backup yet: one is made on each day of practice.", "还没有备份：每个练习日会自动备份一次。"
)
_NOTHING = Bilingual(
    "The history holds everything that the backup {name} has.", "备份 {name} 中的记录都还在，无需恢复。"
)
_RESTORED = Bilingual("Events brought back from the backup {name}: {n}.", "已从备份 {name} 恢复 {n} 条记录。")
_REPLACED = Bilingual(
    "The history is the backup {name} now, with {events}. What was there before is kept as {aside}.",
    "历史记录已换成备份 {name}，共 {n} 条。原来的文件保留为 {aside}。",
)
