"""`llmdrills paths`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.cli.settings_file import source_of, value_of
from llmdrills.language import Bilingual
from llmdrills.lines import aligned, whole
from llmdrills.settings import OPTIONS

if TYPE_CHECKING:
    from llmdrills.language import Language
    from llmdrills.settings import Option, Setting

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Show where files are kept, and where each setting comes from.", "显示各类文件的存放位置，以及每项设置的来源。"
    ),
    "llmdrills paths",
    "LLMDRILLS_HOME=/tmp/try llmdrills paths --json",
)

_NAMES = {
    "workspace": Bilingual("workspace", "工作区"),
    "practice": Bilingual("practice", "练习文件"),
    "history": Bilingual("history", "历史记录"),
    "settings": Bilingual("settings", "设置文件"),
    "cache": Bilingual("cache", "缓存"),
}
_NOT_YET = Bilingual("  (not there yet)", "（尚未创建）")
_FROM = Bilingual("from {source}", "{source}")


def command(json: JsonOption = False, lang: LangOption = None, workspace: WorkspaceOption = None) -> None:
    """Run `llmdrills paths`."""
    here = place(workspace, lang=lang)
    folders = {
        "workspace": here.workspace,
        "practice": here.practice,
        "history": here.locations.history_file,
        "settings": here.locations.config_file,
        "cache": here.locations.cache,
    }
    if json:
        settings = {name: {"value": s.value, "source": s.source} for name, s in here.settings.values.items()}
        print_json({"schema": 1, "paths": {k: str(v) for k, v in folders.items()}, "settings": settings})
        return
    language = here.language
    for line in aligned(
        (_NAMES[name][language], f"{whole(path)}{'' if path.exists() else _NOT_YET[language]}")
        for name, path in folders.items()
    ):
        tell(line, table=True)
    tell()
    for line in aligned(_row(option, here.settings.values[option.name], language) for option in OPTIONS):
        tell(line, table=True)


def _row(option: Option, setting: Setting, language: Language) -> tuple[str, ...]:
    source = _FROM.format(source=source_of(setting))
    return option.name, whole(value_of(setting)[language]), whole(source[language]), option.help[language]
