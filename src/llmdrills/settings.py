"""Settings, and where each value came from: flag > environment > project file > user file > default (for the
language: the locale first).

The project file is `llmdrills.toml` in the workspace, the user file `config.toml`: `llmdrills paths` shows where.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from llmdrills.errors import SettingError
from llmdrills.language import LANGUAGES, Bilingual, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from llmdrills.language import Language

__all__ = [
    "OPTIONS",
    "Option",
    "Scheduling",
    "Setting",
    "Settings",
    "convert",
    "find_language",
    "load_settings",
    "locale_language",
    "read_settings",
]


@dataclass(frozen=True)
class Option:
    """One setting: its type, its default, the values or range it allows, and what it is for."""

    name: str
    kind: type[int] | type[float] | type[str]
    default: int | float | str
    help: Bilingual
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    is_folder: bool = False  # an absolute path; `~` stands for the user's home
    is_language: bool = False  # `zh_CN` and `zh-Hans` mean zh; unset, the locale decides
    personal: bool = False  # not for a workspace to set: it would depend on the folder that one stands in

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"LLMDRILLS_{self.name.upper()}"


OPTIONS: tuple[Option, ...] = (
    Option(
        "lang",
        str,
        "en",
        Bilingual("language of prompts, feedback and labels", "题目、反馈和界面的语言"),
        choices=LANGUAGES,
        is_language=True,
    ),
    Option("minutes", int, 20, Bilingual("minutes of practice a day", "每天练习的分钟数"), low=1, high=600),
    Option("new", int, 2, Bilingual("new katas a day, at most", "每天最多的新练习数"), low=0, high=50),
    Option(
        "device",
        str,
        "auto",
        Bilingual("where attempts run", "作答代码在哪个设备上运行"),
        choices=("auto", "cpu", "cuda", "mps"),
    ),
    Option(
        "editor",
        str,
        "",
        Bilingual(
            "command that opens a file; then VISUAL, then EDITOR", "打开文件的命令；未设置时依次取 VISUAL、EDITOR"
        ),
    ),
    Option(
        "editor_kind",
        str,
        "auto",
        Bilingual(
            "whether that command takes over the terminal, or opens a window", "该命令是占用终端，还是打开一个窗口"
        ),
        choices=("auto", "terminal", "window"),
    ),
    Option(
        "practice",
        str,
        "",
        Bilingual("folder of the files that you write in", "你编写代码的文件所在的文件夹"),
        is_folder=True,
        personal=True,
    ),
    Option(
        "retention",
        float,
        0.9,
        Bilingual("chance of recall at which a kata is due", "记忆保持率降到多少时练习到期"),
        low=0.7,
        high=0.97,
    ),
    Option("interval", int, 365, Bilingual("longest interval, in days", "最长复习间隔（天）"), low=1, high=36500),
    Option(
        "anki_url",
        str,
        "http://127.0.0.1:8765",
        Bilingual("where Anki's add-on AnkiConnect answers", "Anki 插件 AnkiConnect 的地址"),
        personal=True,
    ),
    Option(
        "anki_key",
        str,
        "",
        Bilingual("AnkiConnect's `apiKey`, where it has one", "AnkiConnect 的 `apiKey`（如果设置了）"),
        personal=True,
    ),
)
_BY_NAME = {option.name: option for option in OPTIONS}

_KINDS = {
    int: Bilingual("a whole number", "整数"),
    float: Bilingual("a number", "数字"),
    str: Bilingual("text", "文本"),
}
_IS = Bilingual("{shown} is {value!r}", "{shown} 的值 {value!r} 不可用")
_WRITE = Bilingual("write {wants}", "请写{wants}")
_FROM_TO = Bilingual("write {wants} from {low} to {high}", "请写 {low} 到 {high} 之间的{wants}")
_ONE_OF = Bilingual("write one of {words}", "请使用以下之一：{words}")
_WHOLE_PATH = Bilingual("write a whole path, from / or ~ on", "请写完整路径，以 / 或 ~ 开头")
_UNKNOWN = Bilingual("{path}: unknown setting {name!r}", "{path}：没有名为 {name!r} 的设置")
_USE_ONE_OF = Bilingual("use one of {words}", "请使用以下之一：{words}")
_PERSONAL = Bilingual("{file}: {name} cannot be set by a workspace", "{file}：工作区不能设置 {name}")
_TAKE_OUT = Bilingual(
    "take it out, and run `llmdrills config set {name} VALUE`",
    "请从该文件中移除这一项，再运行 `llmdrills config set {name} VALUE`",
)
_NO_TOML = Bilingual("{path} is not valid TOML", "{path} 不是有效的 TOML")
_LINE = Bilingual("{error}", "请修正第 {line} 行第 {column} 列的语法错误")
_END = Bilingual("{error}", "请补全文件末尾的内容")
_NO_TEXT = Bilingual("{error}", "请改用 UTF-8 编码保存")
_CANNOT_READ = Bilingual("cannot read {path}", "无法读取 {path}")


@dataclass(frozen=True)
class Setting:
    """A value and where it came from, for `llmdrills paths`."""

    value: int | float | str
    source: str


class Scheduling(NamedTuple):
    """What the schedule is made by: the chance of recall at which a kata is due, and the longest interval in days."""

    retention: float = 0.9
    longest: int = 365


@dataclass(frozen=True)
class Settings:
    """All settings, by name."""

    values: Mapping[str, Setting]

    def text(self, name: str) -> str:
        """The value of a setting that is text."""
        return str(self.values[name].value)

    def integer(self, name: str) -> int:
        """The value of a setting that is a whole number."""
        return int(self.values[name].value)

    def number(self, name: str) -> float:
        """The value of a setting that is a number."""
        return float(self.values[name].value)

    @property
    def scheduling(self) -> Scheduling:
        """The settings `retention` and `interval`, which are always used together."""
        return Scheduling(self.number("retention"), self.integer("interval"))


def load_settings(user_file: Path, workspace: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
    """Resolve every setting; a flag of None counts as not given. Raises SettingError with the place of a bad value."""
    project_file = workspace / "llmdrills.toml" if workspace else None
    layers: list[tuple[str, Mapping[str, Any]]] = [
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
        ("environment", {o.name: os.environ[o.variable] for o in OPTIONS if os.environ.get(o.variable)}),
    ]
    layers += [(str(path), _read(path)) for path in (project_file, user_file) if path is not None]
    for option in OPTIONS:
        if option.personal and project_file is not None and option.name in dict(layers)[str(project_file)]:
            raise SettingError(
                _PERSONAL.format(file=project_file, name=option.name), _TAKE_OUT.format(name=option.name)
            )
    return Settings({option.name: _settle(option, layers) for option in OPTIONS})


def convert(option: Option, text: str) -> int | float | str:
    """The value that a text means for this setting. Raises SettingError."""
    return _convert(option, text, option.name)


def read_settings(path: Path) -> Mapping[str, Any]:
    """What a file of settings says; empty where there is none. Raises SettingError."""
    return _read(path)


def _settle(option: Option, layers: list[tuple[str, Mapping[str, Any]]]) -> Setting:
    for source, values in layers:
        if option.name in values:
            shown = (
                f"--{option.name}"
                if source == "flag"
                else option.variable
                if source == "environment"
                else f"{source}: {option.name}"
            )
            return Setting(_convert(option, values[option.name], shown), shown)
    if option.is_language:
        return Setting(*locale_language())
    return Setting(option.default, "default")


def find_language(user_file: Path, workspace: Path | None, flags: Iterable[str]) -> Language:
    """The language of the strongest level that names one, whatever else is wrong with the settings.

    `flags`: what was given as --lang, the strongest first.
    """
    files = [path for path in (workspace and workspace / "llmdrills.toml", user_file) if path is not None]
    for value in (*flags, os.environ.get("LLMDRILLS_LANG"), *map(_language_in, files)):
        if isinstance(value, str) and _bare(value) in LANGUAGES:
            return cast("Language", _bare(value))
    return locale_language()[0]


def _language_in(file: Path) -> object:
    try:
        return _parse(file).get("lang")
    except SettingError:  # told where the settings are needed
        return None


def locale_language() -> tuple[Language, str]:
    """The language of the locale, with the variable that says so; English unless it is Chinese."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return ("zh", variable) if _bare(value) == "zh" else ("en", "default")
    return "en", "default"


def _bare(language: str) -> str:
    """`zh_CN.UTF-8` as `zh`."""
    return re.split(r"[_.@-]", language.strip().lower())[0]


def _convert(option: Option, value: object, shown: str) -> int | float | str:
    if option.is_language and isinstance(value, str) and _bare(value) in option.choices:
        return _bare(value)
    wrong, wants = _IS.format(shown=shown, value=value), _KINDS[option.kind]
    if (
        isinstance(value, bool)
        or not isinstance(value, (str, int, float))
        or (option.kind is int and isinstance(value, float))
    ):
        raise SettingError(wrong, _WRITE.format(wants=wants))
    try:
        converted = option.kind(value)
    except ValueError:
        raise SettingError(wrong, _WRITE.format(wants=wants)) from None
    if option.choices and converted not in option.choices:
        raise SettingError(wrong, _ONE_OF.format(words=listed(option.choices)))
    if not isinstance(converted, str) and not ((option.low or 0) <= converted <= (option.high or float("inf"))):
        raise SettingError(wrong, _FROM_TO.format(wants=wants, low=option.low, high=option.high))
    if option.is_folder and converted:
        return _folder(str(converted), shown)
    return converted


def _folder(text: str, shown: str) -> str:
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # ~name of nobody
        path = Path(text)
    if not path.is_absolute():
        raise SettingError(_IS.format(shown=shown, value=text), _WHOLE_PATH)
    return str(path)


def _read(path: Path) -> Mapping[str, Any]:
    values = _parse(path)
    for name in values:
        if name not in _BY_NAME:
            raise SettingError(_UNKNOWN.format(path=path, name=name), _USE_ONE_OF.format(words=listed(_BY_NAME)))
    return values


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise SettingError(_CANNOT_READ.format(path=path), _NO_TEXT.format(error=error)) from error
    except OSError as error:
        raise SettingError(_CANNOT_READ.format(path=path), str(error)) from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(_NO_TOML.format(path=path), _fault(error)) from error


def _fault(error: tomllib.TOMLDecodeError) -> Bilingual:
    """Where the parser stopped; its English names what it wanted there, too."""
    found = re.search(r"\(at line (\d+), column (\d+)\)$", str(error))
    return _LINE.format(error=error, line=found[1], column=found[2]) if found else _END.format(error=error)
