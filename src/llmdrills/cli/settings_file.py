"""Change one line of the user's file of settings, and leave the rest of it, comments too, as it stands."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

from llmdrills.errors import SettingError
from llmdrills.files import write_atomically
from llmdrills.language import Bilingual
from llmdrills.messages import in_both
from llmdrills.settings import OPTIONS, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from llmdrills.language import Language
    from llmdrills.settings import Setting

__all__ = ["change", "source_of", "template", "value_of"]

_UNSET = Bilingual("(unset)", "未设置")

_DEFAULT = Bilingual("default", "默认值")
_HEAD = Bilingual(
    "Settings of llmdrills: take a `# ` away to set one.", "llmdrills 的设置：去掉行首的 `# ` 即可启用该项。"
)
_CHOICES = Bilingual("{help} ({choices})", "{help}（{choices}）")
_CANNOT = Bilingual("cannot write {path} ({why})", "无法写入 {path}（{why}）")
_RIGHTS = Bilingual("give yourself the right to, or set LLMDRILLS_HOME", "请取得写权限，或设置 LLMDRILLS_HOME")
_ODD = Bilingual("the line of {name} in {path} cannot be changed by a program", "{path} 中 {name} 一行无法自动修改")
_BY_HAND = Bilingual("run `llmdrills config edit`, and change it there", "运行 `llmdrills config edit` 手动修改")


def change(path: Path, name: str, value: float | str | None) -> None:
    """Set a setting in the file, which is made if need be; None takes it out. Raises SettingError.

    A link is followed, so that a file kept elsewhere stays there.
    """
    before = dict(read_settings(path))
    wanted = {key: old for key, old in before.items() if key != name}
    if value is not None:
        wanted[name] = value
    text = path.read_text("utf-8") if path.exists() else ""
    for changed in _changes(text, name, value):
        if _says(changed) == wanted:
            if changed == text:
                return
            try:
                write_atomically(path.resolve(), changed)
            except OSError as error:
                raise SettingError(_CANNOT.format(path=path, why=in_both(error.strerror)), _RIGHTS) from error
            return
    raise SettingError(_ODD.format(name=name, path=path), _BY_HAND)


def source_of(setting: Setting) -> Bilingual:
    """Where a value comes from: an option, a variable and a file are their own names."""
    return _DEFAULT if setting.source == "default" else Bilingual(setting.source, setting.source)


def value_of(setting: Setting) -> Bilingual:
    """The value as it is shown: an empty one is said."""
    return _UNSET if setting.value == "" else Bilingual(str(setting.value), str(setting.value))


def template(language: Language) -> str:
    """A file that sets nothing: every setting with its default, as a comment."""
    lines = [f"# {_HEAD[language]}", ""]
    for option in OPTIONS:
        said = option.help
        if option.choices:
            said = _CHOICES.format(help=said, choices=", ".join(option.choices))
        lines += [f"# {said[language]}", f"# {option.name} = {_toml(option.default)}", ""]
    return "\n".join(lines)


def _changes(text: str, name: str, value: float | str | None) -> Iterator[str]:
    """What the text could become, the best first: with the comment behind the value, then without."""
    lines = text.splitlines(keepends=True)
    at = next((i for i, line in enumerate(lines) if re.match(rf"""\s*["']?{name}["']?\s*=""", line)), None)
    if at is None:
        if value is None:
            yield text
            return
        line = f"{name} = {_toml(value)}\n"
        end = "" if not text or text.endswith("\n") else "\n"
        yield f"{text}{end}{line}"
        return
    if value is None:
        yield "".join([*lines[:at], *lines[at + 1 :]])
        return
    setting, mark, comment = lines[at].rstrip("\r\n").partition(" #")
    commented = bool(mark) and _says(setting) is not None  # else the mark stands inside of the value
    for rest in ([f"{mark}{comment}"] if commented else []) + [""]:
        yield "".join([*lines[:at], f"{name} = {_toml(value)}{rest}\n", *lines[at + 1 :]])


def _toml(value: float | str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _says(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
