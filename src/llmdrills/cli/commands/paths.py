"""`llmdrills paths`."""

from __future__ import annotations

from llmdrills.cli.console import print_json, tell
from llmdrills.cli.manual import manual
from llmdrills.cli.options import JsonOption, LangOption, WorkspaceOption, place
from llmdrills.language import Bilingual
from llmdrills.lines import whole
from llmdrills.settings import OPTIONS

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual(
        "Show where files are kept, and where each setting comes from.", "显示各类文件的存放位置，以及每项设置的来源。"
    ),
    "llmdrills paths",
    "LLMDRILLS_HOME=/tmp/try llmdrills paths --json",
)


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
    for name, path in folders.items():
        tell(f"{name:<11} {whole(path)}{'' if path.exists() else '  (not there yet)'}", table=True)
    tell()
    for option in OPTIONS:
        setting = here.settings.values[option.name]
        shown = setting.value if setting.value != "" else "(unset)"
        tell(f"{option.name:<11} {whole(shown):<8} from {whole(setting.source):<28} {option.help}", table=True)
