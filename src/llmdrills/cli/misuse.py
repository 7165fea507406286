"""What Typer finds wrong with a command line, as one of our errors: what is wrong, and what to do next."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from llmdrills.cli.options import nearest
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typer.exceptions import TyperException

__all__ = ["as_usage_error"]

_HELP = Bilingual("`{command} --help` shows what it takes", "运行 `{command} --help` 查看用法")
_ALL = Bilingual("`{command} --help` lists the commands", "运行 `{command} --help` 查看全部命令")
_NO_COMMAND = Bilingual("there is no command {name!r}", "没有名为 {name!r} 的命令")
_GIVE_COMMAND = Bilingual("{command} needs a command", "`{command}` 后面需要一个命令")
_NO_OPTION = Bilingual("there is no option {name}", "没有选项 {name}")
_MISSING = Bilingual("{name} is missing", "缺少 {name}")
_NO_VALUE = Bilingual("{name} needs a value", "{name} 需要一个值")
_TAKES_NONE = Bilingual("{name} takes no value", "{name} 不带值")
_TOO_MUCH = Bilingual("this is too much: {words}", "多余的参数：{words}")
_WHOLE = Bilingual("{name} must be a whole number", "{name} 必须是整数")
_NUMBER = Bilingual("{name} must be a number", "{name} 必须是数字")
_AT_LEAST = Bilingual("{name} must be {limit} or more", "{name} 不能小于 {limit}")
_AT_MOST = Bilingual("{name} must be {limit} or less", "{name} 不能大于 {limit}")
_ODD = Bilingual("{said}", "命令行有误（{said}）")
_BAD = Bilingual("{name} cannot have this value ({why})", "{name} 的值不可用（{why}）")


def as_usage_error(error: TyperException, command: str) -> UsageError:
    """The same as one of our errors. `command`: whose arguments these are, where the error does not know."""
    ctx: Any = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else command
    known = _options(ctx)
    said, kind = error.message, type(error).__name__
    help_it = _HELP.format(command=path)
    if kind == "NoSuchOption":
        name = str(getattr(error, "option_name", ""))
        return UsageError(_NO_OPTION.format(name=name), nearest(name, known, help_it))
    if kind == "MissingParameter":
        return UsageError(_MISSING.format(name=_name(error)), help_it)
    if kind == "BadParameter":
        return UsageError(_bad(_name(error), said), help_it)
    if kind == "BadOptionUsage":
        words = _TAKES_NONE if "not take" in said else _NO_VALUE
        return UsageError(words.format(name=getattr(error, "option_name", "")), help_it)
    if found := re.match(r"No such command '(.*?)'", said):
        commands = list(ctx.command.commands) if ctx is not None else []
        todo = nearest(found[1], commands, _ALL.format(command=path))
        return UsageError(_NO_COMMAND.format(name=found[1]), todo)
    if found := re.match(r"Got unexpected extra argument\(s\) \((.*)\)$", said, re.DOTALL):
        return UsageError(_TOO_MUCH.format(words=found[1]), help_it)
    if said == "Missing command.":
        return UsageError(_GIVE_COMMAND.format(command=path), _ALL.format(command=path))
    return UsageError(_ODD.format(said=said.rstrip(".")), help_it)


def _options(ctx: Any) -> Sequence[str]:
    """Every option that may stand there."""
    if ctx is None:
        return ()
    return [name for one in ctx.command.get_params(ctx) for name in one.opts if name.startswith("--")]


def _name(error: TyperException) -> str:
    """The parameter as it is written in help."""
    parameter: Any = getattr(error, "param", None)
    if parameter is None:
        return str(getattr(error, "param_hint", None) or "")
    longest = max(parameter.opts, key=len)
    return str(longest if longest.startswith("-") else (parameter.metavar or longest).strip("[]"))


def _bad(name: str, said: str) -> Bilingual:
    if "integer" in said:
        return _WHOLE.format(name=name)
    if "valid number" in said:
        return _NUMBER.format(name=name)
    if found := re.search(r"(greater|less) than or equal to (\S+)", said):
        return (_AT_LEAST if found[1] == "greater" else _AT_MOST).format(name=name, limit=found[2])
    return _BAD.format(name=name, why=said.rstrip("."))
