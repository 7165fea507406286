"""`llmdrills paths`."""

from __future__ import annotations

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.cli.settings_file import UNSET, source_of
from llmdrills.language import Bilingual
from llmdrills.lines import columns, whole
from llmdrills.settings import OPTIONS

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
_SETTING = Bilingual("{name} {value} from {source} {help}", "{name} {value} {source} {help}")


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
    for name, path in folders.items():
        shown = _padded(_NAMES[name][language], 11)
        tell(f"{shown} {whole(path)}{'' if path.exists() else _NOT_YET[language]}", table=True)
    tell()
    for option in OPTIONS:
        setting = here.settings.values[option.name]
        value = _padded(str(setting.value) if setting.value != "" else UNSET[language], 8)
        source = _padded(source_of(setting)[language], 28)
        line = _SETTING.format(name=f"{option.name:<11}", value=value, source=source, help=option.help)
        tell(line[language], table=True)


def _padded(text: str, width: int) -> str:
    return whole(text) + " " * (width - columns(text))
