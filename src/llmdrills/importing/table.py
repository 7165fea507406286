"""Notes of a table: CSV or TSV, with the lines that Anki writes above its own (`#separator:`, `#html:` and others)."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.errors import UsageError
from llmdrills.importing.deletions import holds_deletion
from llmdrills.importing.found import File, Found, Remark, short
from llmdrills.importing.media import FolderMedia
from llmdrills.importing.textfile import read_utf8
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["tabled"]

_SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " ", "pipe": "|", "colon": ":"}
_KEYS = re.compile(
    r"#(separator|html|tags|columns|notetype|deck|(?:notetype|deck|tags|guid) column|if matches):(.*)", re.IGNORECASE
)
_ROLES = {
    "front": "front question prompt q text 正面 问题 题目 文字 front_side",
    "back": "back answer a response 背面 答案 回答",
    "extra": "extra note notes comment 备注 说明 额外",
    "tags": "tags tag 标签",
    "source": "source sources 来源 出处",
    "deck": "deck 牌组",
    "notetype": "notetype type 笔记模板 模板",
    "guid": "guid",
}
_HTML = re.compile(
    r"</(?:b|i|u|p|div|span|li|ul|ol|strong|em|code|pre|sub|sup|table|td|tr|font|a|h[1-6])>"
    r"|<(?:br|hr)\s*/?>|<(?:img|a|font|span|div|p)\s+[\w-]+\s*=|&nbsp;",
    re.IGNORECASE,
)
_LONGEST_CELL = 1 << 20

_ROW = Bilingual("line {n}", "第 {n} 行")
_BROKEN = Bilingual("{path}:{line}: this is no row of a table: {why}", "{path}:{line}：这不是表格的一行：{why}")
_QUOTES = Bilingual(
    "put a cell that holds quotes in quotes, and write each of them twice",
    "含有引号的单元格请用引号括起来，其中每个引号写两次",
)
_WHICH = Bilingual(
    "{path} has the columns {names}, and nothing says which of them are front and back",
    "{path} 有 {names} 这些列，但没有说明哪列是正面、哪列是背面",
)
_NAME_THEM = Bilingual(
    "name them in a first line, such as `#columns:{example}`",
    "请在首行写明列名，例如 `#columns:{example}`",
)
_NO_ROWS = Bilingual("{path} holds no rows", "{path} 中没有数据行")
_ONE_A_NOTE = Bilingual("write one note a line: front, separator, back", "每行写一条笔记：正面、分隔符、背面")
_BAD_HEAD = Bilingual("{path}:{line}: `{text}` cannot be read", "{path}:{line}：无法识别 `{text}`")
_HEADS = Bilingual(
    "write it as Anki does, such as `#separator:Comma` or `#tags column:3`",
    "请按 Anki 的写法，例如 `#separator:Comma` 或 `#tags column:3`",
)
_LENGTH = Bilingual("cells here: {n}; in the other rows: {most}", "有 {n} 个单元格，其他行有 {most} 个")
_NO_BACK = Bilingual("it has no second cell for the back", "没有第二个单元格作为背面")
_MORE = Bilingual(
    "it has more than two texts, and nothing says which is front and back: `#columns:` names them",
    "有两段以上的文字，无法判断正反面：请用 `#columns:` 写明列名",
)
_SEPARATED = Bilingual("its columns are separated by {name}", "各列以{name}分隔")
_NAMES = {
    ",": Bilingual("commas", "逗号"),
    ";": Bilingual("semicolons", "分号"),
    "\t": Bilingual("tabs", "制表符"),
    "|": Bilingual("`|`", "`|`"),
}
_AS_HTML = Bilingual(
    "its cells are read as HTML, for what they hold (a first line `#html:false` reads them as text)",
    "根据内容，单元格按 HTML 读取（首行写 `#html:false` 可按纯文本读取）",
)
_HEADED = Bilingual("its first row names the columns: {names}", "首行是列名：{names}")
_COMMENT = Bilingual("it begins with `#` above the first row: a comment", "位于首行数据之前，以 `#` 开头：是注释")
_GUIDS = Bilingual("guids are left out: these notes have identities of their own", "不使用 guid：这些笔记有自己的标识")


class _Row(NamedTuple):
    line: int
    cells: list[str]


@dataclass
class _Head:
    """What the lines above the first row say; columns count from 0."""

    separator: str = ""
    html: bool | None = None
    tags: tuple[str, ...] = ()
    columns: str | None = None
    notetype: str = ""
    deck: str = ""
    places: dict[str, int] = field(default_factory=dict)
    lines: int = 0  # how many there are


def tabled(path: Path) -> File:
    """What the table holds. Raises UsageError."""
    text = read_utf8(path)
    found = File(title=path.stem, media=FolderMedia(path.parent))
    head = _head(text, path, found)
    body = "\n".join(text.split("\n")[head.lines :])
    chosen = head.separator or _sniffed(body, path)
    rows = _rows(body, chosen, path, head.lines)
    if not rows:
        raise UsageError(_NO_ROWS.format(path=path), _ONE_A_NOTE)
    if not head.separator and len(rows[0].cells) > 1:
        found.said.append(_SEPARATED.format(name=_NAMES[chosen]))
    roles, width = _roles(head, chosen, rows, path, found)
    if head.html is None and any(_HTML.search(cell) for row in rows for cell in row.cells):
        head.html = True
        found.said.append(_AS_HTML)
    if "guid" in roles:
        found.said.append(_GUIDS)
    for row in rows:
        _take(row, roles, width, head, found)
    return found


def _head(text: str, path: Path, found: File) -> _Head:
    head = _Head()
    for number, line in enumerate(text.split("\n"), 1):
        known = _KEYS.fullmatch(line.rstrip())
        if known is None and not (line.startswith("#") and not _is_row(line)):
            break
        head.lines = number
        if known is None:
            found.refused.append(Remark(_ROW.format(n=number), short(line), _COMMENT))
        elif not _say(head, known[1].lower(), known[2]):
            shown = line.strip()[:60]
            raise UsageError(_BAD_HEAD.format(path=path, line=number, text=shown), _HEADS)
    return head


def _is_row(line: str) -> bool:
    """Whether a line that begins with `#` may be a row: it holds a separator."""
    return any(sign in line for sign in ",;\t|")


def _say(head: _Head, key: str, value: str) -> bool:
    """Note what one line says; whether it says something that is known."""
    word = value.strip()
    if key == "separator":
        head.separator = _SEPARATORS.get(word.lower(), "\t" if word == "\\t" else value if len(value) == 1 else "")
        return bool(head.separator) and head.separator not in '"\n'
    if key == "html":
        head.html = {"true": True, "false": False}.get(word.lower())
        return head.html is not None
    if key.endswith(" column"):
        if not word.isdigit() or not 1 <= int(word) <= 1000:
            return False
        head.places[key.removesuffix(" column")] = int(word) - 1
    elif key == "tags":
        head.tags = tuple(word.split())
    elif key == "columns":
        head.columns = value
    elif key in {"notetype", "deck"}:
        setattr(head, key, word)
    return True


def _sniffed(body: str, path: Path) -> str:
    """The separator: one by which all rows have as many cells, at least two; else what `csv` makes of it."""
    order = {".tsv": "\t,;|", ".txt": "\t;,|"}.get(path.suffix.lower(), ",;\t|")
    for sign in order:
        try:
            widths = {len(cells) for cells in _parsed(body, sign) if any(cells)}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            return sign
    try:
        return csv.Sniffer().sniff(body[:65536], delimiters=order).delimiter
    except csv.Error:
        return order[0]


def _parsed(body: str, separator: str) -> Reader:
    csv.field_size_limit(_LONGEST_CELL)
    return csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)


def _rows(body: str, separator: str, path: Path, before: int) -> list[_Row]:
    reader = _parsed(body, separator)
    found: list[_Row] = []
    line = before + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append(_Row(line, cells))
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise UsageError(_BROKEN.format(path=path, line=line, why=error), _QUOTES) from error
    return found


def _role(name: str) -> str:
    word = name.strip().lower().removesuffix(" column")
    return next((role for role, words in _ROLES.items() if word in words.split()), word and f"?{word}")


def _roles(head: _Head, separator: str, rows: list[_Row], path: Path, found: File) -> tuple[dict[str, int], int]:
    """Which cell is what, and how many cells a row has. A first row that names the columns is taken away."""
    width = Counter(len(row.cells) for row in rows).most_common(1)[0][0]
    names: list[str] | None = None
    if head.columns is not None:
        names = next(csv.reader([head.columns], delimiter=separator), [])
    elif {"front", "back"} <= {_role(name) for name in rows[0].cells} and not any(
        _role(name).startswith("?") for name in rows[0].cells
    ):
        names = rows.pop(0).cells
        found.said.append(_HEADED.format(names=Bilingual(", ".join(names), "、".join(names))))
    roles = dict(head.places)
    if names is not None:
        width = max(width, len(names))
        for place, name in enumerate(names):
            role = _role(name)
            if role and not role.startswith("?") and place not in roles.values():
                roles.setdefault(role, place)
    used = set(roles.values())
    named = {place for place, name in enumerate(names or []) if not name.strip()}
    filled = {place for row in rows for place, cell in enumerate(row.cells) if cell.strip()}
    free = [place for place in range(width) if place not in used | named and (place in filled or place < 2)]
    exported = bool(head.notetype or "notetype" in roles)  # then the first two are what a card of Anki's asks by
    for role in ("front", "back"):
        if role not in roles and free and (len(free) <= 2 or exported):
            roles[role] = free.pop(0)
    if exported:
        roles |= {f"?{place}": place for place in free}
        free = []
    if free or "front" not in roles:
        shown = [name.strip() or "–" for name in names] if names else [str(place + 1) for place in range(width)]
        example = separator.join(["Front", "Back", "Tags", *["Extra"] * max(0, width - 3)][: max(width, 2)])
        what = _WHICH.format(path=path, names=Bilingual(", ".join(shown), "、".join(shown)))
        raise UsageError(what, _NAME_THEM.format(example=example))
    return roles, width


def _take(row: _Row, roles: dict[str, int], width: int, head: _Head, found: File) -> None:
    place = _ROW.format(n=row.line)
    if len(row.cells) > width or (len(row.cells) < width and roles.get("back", 0) >= len(row.cells) > 1):
        why = _LENGTH.format(n=len(row.cells), most=width)
        found.refused.append(Remark(place, short(row.cells[0]), why))
        return

    def cell(role: str) -> str:
        at = roles.get(role, width)
        return row.cells[at] if at < len(row.cells) else ""

    front, back = cell("front"), cell("back")
    kind = (cell("notetype") or head.notetype).casefold()
    cloze = holds_deletion(front) and (not kind or any(word in kind for word in ("cloze", "填空", "挖空", "lücken")))
    if not cloze and "back" not in roles:
        found.refused.append(Remark(place, short(front), _NO_BACK))
        return
    if any(cell(role).strip() for role in roles if role.startswith("?")):
        found.refused.append(Remark(place, short(front), _MORE))
        return
    html = bool(head.html)
    found.notes.append(
        Found(
            place=place,
            kind="cloze" if cloze else "question",
            front=front if html else _as_html(front),
            back=back if html else _as_html(back),
            extra=cell("extra") if html else _as_html(cell("extra")),
            tags=(*head.tags, *cell("tags").split()),
            source=" ".join(cell("source").split()),
            deck=cell("deck") or head.deck,
        )
    )


def _as_html(text: str) -> str:
    """Plain text as HTML that shows it: lines, and blanks that stand beside each other."""
    lines = escape(text, quote=False).expandtabs(4).split("\n")
    return "<br>".join(re.sub("^ +| {2,}", lambda run: "\u00a0" * len(run[0]), line) for line in lines)
