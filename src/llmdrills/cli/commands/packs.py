"""`llmdrills packs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import print_json, tell, told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import ONE_OF, JsonOption, LangOption, nearest, place
from llmdrills.cli.packs import answer, holds, look
from llmdrills.content.packs import contents
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual, listed

if TYPE_CHECKING:
    from llmdrills.cli.packs import Found

__all__ = ["HELP", "app"]

HELP = manual(
    Bilingual(
        "Decks and katas that come in packages of others: list them, allow one, refuse one.",
        "其他软件包提供的牌组和练习：列出、允许或拒绝。",
    ),
    "llmdrills packs list",
    "llmdrills packs allow tiny",
    "llmdrills packs refuse tiny",
)
app = typer.Typer(help=told(HELP), no_args_is_help=True, rich_markup_mode=None)
_LIST_HELP = manual(
    Bilingual(
        "List the content packs that are installed, and whether they are used.", "列出已安装的内容包，以及是否使用。"
    ),
    "llmdrills packs list",
    "llmdrills packs list --json",
)
_ALLOW_HELP = manual(
    Bilingual(
        "Allow a content pack, as it is now: its katas are code that runs as you.",
        "允许使用现在这个版本的内容包：其中的练习是代码，会以你的身份运行。",
    ),
    "llmdrills packs allow tiny",
)
_REFUSE_HELP = manual(
    Bilingual("Leave a content pack out, in every version.", "停用一个内容包，不论哪个版本。"),
    "llmdrills packs refuse tiny",
)
_NONE = Bilingual("No content pack is installed.", "没有安装内容包。")
_ROW = Bilingual("{name} ({package} {version}): {holds}, {state}", "{name}（{package} {version}）：{holds}，{state}")
STATES = {
    "new": Bilingual("not allowed yet", "尚未允许"),
    "allowed": Bilingual("allowed", "已允许"),
    "changed": Bilingual("changed since it was allowed", "允许之后有改动"),
    "refused": Bilingual("refused", "已拒绝"),
}
_ALLOWED = Bilingual("{name} is allowed, as it is now ({hash}).", "已允许 {name} 现在的内容（{hash}）。")
_REFUSED = Bilingual("{name} is left out from now on.", "今后不再使用 {name}。")
_NO_PACK = Bilingual("no content pack `{name}` is installed", "没有安装内容包 `{name}`")

_PackArgument = Annotated[
    str, typer.Argument(metavar="PACK", help=told(Bilingual("The pack's name.", "内容包的名称。")), show_default=False)
]


@app.command("list", help=told(_LIST_HELP))
def list_command(json: JsonOption = False, lang: LangOption = None) -> None:
    """Run `llmdrills packs list`."""
    here = place(lang=lang)
    found = look(here)
    if json:
        rows = [
            {
                "name": one.pack.name,
                "package": one.pack.distribution,
                "version": one.pack.version,
                "folder": str(one.pack.folder),
                "katas": contents(one.pack).katas,
                "decks": contents(one.pack).decks,
                "hash": one.hash,
                "state": one.state,
                "fault": one.pack.fault and one.pack.fault[here.language],
            }
            for one in found
        ]
        print_json({"schema": 1, "packs": rows})
        return
    for one in found:
        tell(row(one)[here.language])
    if not found:
        tell(_NONE[here.language])


@app.command("allow", help=told(_ALLOW_HELP))
def allow_command(pack: _PackArgument, lang: LangOption = None) -> None:
    """Run `llmdrills packs allow`."""
    here = place(lang=lang)
    one = _named(look(here), pack)
    answer(here, one, allowed=True)
    tell(row(one._replace(state="allowed"))[here.language])
    tell(_ALLOWED.format(name=one.pack.name, hash=one.hash[:12])[here.language])


@app.command("refuse", help=told(_REFUSE_HELP))
def refuse_command(pack: _PackArgument, lang: LangOption = None) -> None:
    """Run `llmdrills packs refuse`."""
    here = place(lang=lang)
    one = _named(look(here), pack)
    answer(here, one, allowed=False)
    tell(_REFUSED.format(name=one.pack.name)[here.language])


def row(one: Found) -> Bilingual:
    """A pack on one line: what it holds and whether it is used, or why it cannot be."""
    pack = one.pack
    if pack.fault is not None:
        return pack.fault
    words = {"name": pack.name, "package": pack.distribution, "version": pack.version}
    return _ROW.format(**words, holds=holds(pack), state=STATES[one.state])


def _named(found: list[Found], name: str) -> Found:
    usable = {one.pack.name: one for one in found if one.pack.fault is None}
    if name not in usable:
        known = ONE_OF.format(words=listed(usable)) if usable else _NONE
        raise UsageError(_NO_PACK.format(name=name), nearest(name, usable, known))
    return usable[name]
