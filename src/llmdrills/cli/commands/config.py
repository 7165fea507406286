"""`llmdrills config get`, `set` and `edit`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills import paths
from llmdrills.cli.console import note, print_json, spoken, tell, told
from llmdrills.cli.day.editor import find_editor
from llmdrills.cli.manual import manual
from llmdrills.cli.options import ONE_OF, JsonOption, LangOption, WorkspaceOption, nearest, place
from llmdrills.cli.settings_file import change, source_of, template, value_of
from llmdrills.errors import SettingError, UsageError
from llmdrills.files import write_atomically
from llmdrills.language import Bilingual, listed
from llmdrills.lines import aligned, whole
from llmdrills.settings import OPTIONS, Option, convert, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from llmdrills.cli.options import Place

__all__ = ["HELP", "app"]

HELP = manual(
    Bilingual("Show and change the settings.", "查看和修改设置。"),
    "llmdrills config get",
    "llmdrills config set minutes 30",
    "llmdrills config edit",
)
app = typer.Typer(help=told(HELP), no_args_is_help=True, rich_markup_mode=None)
_GET_HELP = manual(
    Bilingual(
        "Print the value of a setting; without a name, all of them with where each comes from.",
        "打印一项设置的值；不写名称时列出全部设置及其来源。",
    ),
    "llmdrills config get minutes",
    "llmdrills config get",
    "llmdrills config get --json",
)
_SET_HELP = manual(
    Bilingual(
        "Change a setting in your own file of settings, whose comments stay.",
        "修改个人设置文件中的一项设置，文件里的注释保持不变。",
    ),
    "llmdrills config set minutes 30",
    "llmdrills config set practice ~/katas",
    "llmdrills config set editor_kind window",
    "llmdrills config set minutes --default",
)
_EDIT_HELP = manual(
    Bilingual(
        "Open your file of settings in your editor, and check it afterwards.",
        "用你的编辑器打开设置文件，编辑后检查其内容。",
    ),
    "llmdrills config edit",
)

_UNKNOWN = Bilingual("there is no setting {name!r}", "没有名为 {name!r} 的设置")
_NO_VALUE = Bilingual("{name} needs a value", "{name} 需要一个值")
_GIVE = Bilingual(
    "give one, or --default to take the setting out of the file", "请给出值，或用 --default 从文件中移除该设置"
)
_SET = Bilingual("{name} = {value} (in {path})", "{name} = {value}（写入 {path}）")
_RESET = Bilingual("{name} is not in {path}; it is {value} now", "{name} 已不在 {path} 中；当前值：{value}")
_STRONGER = Bilingual(
    "{source} is stronger: here {name} stays {value}.", "{source} 优先级更高：此处 {name} 仍为 {value}。"
)
_NO_EDITOR = Bilingual("there is no editor to open {path} with", "没有可以打开 {path} 的编辑器")
_SET_EDITOR = Bilingual(
    "set LLMDRILLS_EDITOR, VISUAL or EDITOR; or run `llmdrills config set NAME VALUE`",
    "请设置 LLMDRILLS_EDITOR、VISUAL 或 EDITOR；或运行 `llmdrills config set NAME VALUE`",
)
_NO_TERMINAL = Bilingual("{editor} needs a terminal", "{editor} 需要终端")
_ELSEWHERE = Bilingual("run this in a terminal, or edit {path}", "请在终端中运行，或直接编辑 {path}")
_OPENED = Bilingual("{path} is opened with {editor}.", "已用 {editor} 打开 {path}。")


def _names(incomplete: str) -> list[str]:
    return [option.name for option in OPTIONS if option.name.startswith(incomplete)]


def _values(ctx: typer.Context, incomplete: str) -> list[str]:
    """What the setting that stands before may be, where that is one of a few words."""
    choices = next((option.choices for option in OPTIONS if option.name == ctx.params.get("name")), ())
    return [word for word in choices if word.startswith(incomplete)]


def _option(name: str) -> Option:
    known = {option.name: option for option in OPTIONS}
    if name not in known:
        raise UsageError(_UNKNOWN.format(name=name), nearest(name, known, ONE_OF.format(words=listed(known))))
    return known[name]


@app.command("get", help=told(_GET_HELP))
def get_command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help=told(Bilingual("Only this one.", "只看这一项。")),
            autocompletion=_names,
            show_default=False,
        ),
    ] = None,
    lang: LangOption = None,
    json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills config get`."""
    here = place(workspace, lang=lang)
    wanted = list(OPTIONS) if name is None else [_option(name)]
    found = {option.name: here.settings.values[option.name] for option in wanted}
    if json:
        rows = {key: {"value": setting.value, "source": setting.source} for key, setting in found.items()}
        print_json({"schema": 1, "settings": rows})
    elif name is not None:
        print(found[name].value)
    else:
        language = here.language
        for line in aligned(
            (key, whole(value_of(setting)[language]), whole(source_of(setting)[language]))
            for key, setting in found.items()
        ):
            tell(line, table=True)


@app.command("set", help=told(_SET_HELP))
def set_command(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help=told(Bilingual("Which setting.", "设置的名称。")), autocompletion=_names),
    ],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]",
            help=told(Bilingual("Its value.", "设置的值。")),
            autocompletion=_values,
            show_default=False,
        ),
    ] = None,
    *,
    default: Annotated[
        bool,
        typer.Option(
            "--default",
            help=told(
                Bilingual("Take it out of the file: the default holds again.", "从文件中移除这一项，恢复默认值。")
            ),
        ),
    ] = False,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills config set`."""
    here = _settled(workspace, lang)
    option = _option(name)
    if value is None and not default:
        raise UsageError(_NO_VALUE.format(name=name), _GIVE)
    wanted = None if default or value is None else convert(option, value)
    path = paths.locations().config_file
    change(path, name, wanted)
    language = here.language if here is not None else spoken()
    now = place(workspace, lang=lang).settings.values[name]
    if wanted is None:
        tell(_RESET.format(name=name, value=value_of(now), path=whole(path))[language])
        return
    tell(_SET.format(name=name, value=whole(wanted), path=whole(path))[language])
    if now.source != f"{path}: {name}":
        note(_STRONGER.format(source=whole(now.source), name=name, value=now.value)[language])


def _settled(workspace: Path | None, lang: str | None) -> Place | None:
    """Where the command runs; None where a setting is wrong, which may be the one that is to be put right."""
    try:
        return place(workspace, lang=lang)
    except SettingError:
        return None


@app.command("edit", help=told(_EDIT_HELP))
def edit_command(lang: LangOption = None, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills config edit`."""
    path = paths.locations().config_file
    here = _settled(workspace, lang)
    language = here.language if here is not None else spoken()
    configured = (here.settings.text("editor"), here.settings.text("editor_kind")) if here is not None else ("", "auto")
    editor = find_editor(*configured)
    if editor is None:
        raise UsageError(_NO_EDITOR.format(path=path), _SET_EDITOR)
    if editor.in_terminal and not sys.stdin.isatty():
        raise UsageError(_NO_TERMINAL.format(editor=editor.name), _ELSEWHERE.format(path=path))
    if not path.exists():
        write_atomically(path, template(language))
    if editor.in_terminal:
        failure = editor.run(path)
        if failure is not None:
            note(failure.text[language])
    else:
        editor.open(path)
        note(_OPENED.format(path=whole(path), editor=editor.name)[language])
    print(path)
    load_settings(path, paths.find_workspace(workspace))  # what is wrong with it now is told
