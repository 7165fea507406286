"""Install a shell's completion, or print it, and say so in our words: Typer says it in English alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from llmdrills.cli.console import tell, told
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.lines import whole

if TYPE_CHECKING:
    import typer

__all__ = ["speak_for"]

_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
_INSTALLED = Bilingual(
    "The completion of {shell} is installed in {path}. It works in every new terminal.",
    "已将 {shell} 的补全安装到 {path}。新开的终端里即可使用。",
)


def speak_for(command: Any) -> None:
    """Let the options of the app that install and print completion, where it has them, speak as all others do."""
    callbacks = {"install_completion": _install, "show_completion": _show}
    for parameter in command.params:
        if parameter.name in callbacks:
            parameter.callback = callbacks[parameter.name]


def _install(ctx: typer.Context, _parameter: Any, wanted: Any) -> Any:
    if not wanted or ctx.resilient_parsing:
        return wanted
    from typer._completion_shared import install  # what Typer's own option calls

    shell, path = install(shell=_shell(wanted))
    tell(told(_INSTALLED.format(shell=shell, path=whole(path))))
    sys.exit(0)


def _show(ctx: typer.Context, _parameter: Any, wanted: Any) -> Any:
    if not wanted or ctx.resilient_parsing:
        return wanted
    from typer._completion_shared import get_completion_script  # as above

    name = str(ctx.find_root().info_name)
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    print(get_completion_script(prog_name=name, complete_var=variable, shell=_shell(wanted)))
    sys.exit(0)


def _shell(wanted: Any) -> str:
    """The shell that was named, else the one that runs this. Raises UsageError for one that has no completion."""
    from typer._completion_shared import _get_shell_name

    shell = wanted if isinstance(wanted, str) else _get_shell_name()
    if shell not in _SHELLS:
        what = f"there is no completion for the shell {shell!r}" if shell else "this was not started from a known shell"
        raise UsageError(what, f"run it in one of {', '.join(_SHELLS)}")
    return shell
