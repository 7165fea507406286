"""The learner's own mistakes as cards: their lines, what these do, an input that shows it, and the right line.

They are released like any deck, with a namespace and a lock of their own in the user's data folder, so that the decks
of a workspace never hear of them. A mistake that was beaten is retired; met again, it is back.
"""

from __future__ import annotations

import ast
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.content.computed import load_computed
from llmdrills.content.derive import shown_kernel
from llmdrills.content.model import Deck, Note, Workspace
from llmdrills.content.syntax import parsed
from llmdrills.decks.build import BuildOptions, build, package_path
from llmdrills.decks.lock import lock_file, read_lock
from llmdrills.files import write_atomically
from llmdrills.language import LANGUAGES, Bilingual
from llmdrills.practice.mistakes import BEATEN_DAYS, Mistake, mistakes

if TYPE_CHECKING:
    from llmdrills.content.computed import Computed
    from llmdrills.content.model import Kata, Slip
    from llmdrills.language import Language
    from llmdrills.practice.history import History

__all__ = ["NAMESPACE", "Built", "build_mine"]

NAMESPACE = "llmdrills-mine"
_DECK = "mine"
_LONGEST = 60  # lines of the learner's code that a card shows

_TITLE = Bilingual("Mine", "我的错误")
_ABOUT = Bilingual("Mistakes that you made yourself.", "你自己犯过的错误。")
_QUESTION = Bilingual(
    "You wrote this for the kata **{title}** on {day}. Which line is wrong, and what should it say?",
    "这是你在 {day} 为编码练习**{title}**写的代码。哪一行写错了？应该怎么写？",
)
_RIGHT = Bilingual("The right line:", "正确的写法：")
_SHOWN_BY = Bilingual("An input that shows it (case `{case}`):", "能暴露它的输入（用例 `{case}`）：")
_FAILED = Bilingual("The case `{case}` showed it.", "用例 `{case}` 暴露了它。")
_EXPECTED = Bilingual("# right: {value}", "# 正确：{value}")
_GOT = Bilingual("# this code: {value}", "# 这段代码：{value}")
_BEATEN = f"passed without help on {BEATEN_DAYS} days since"


class Built(NamedTuple):
    """What a build came to: the packages, how many mistakes they ask for, and how many were retired by now."""

    packages: tuple[Path, ...]
    notes: int
    retired: int


def build_mine(
    workspace: Workspace, history: History, folder: Path, out: Path, languages: tuple[Language, ...] = LANGUAGES
) -> Built:
    """Write `llmdrills-mine-LANG.apkg` to `out`; what was released is kept in `folder`.

    Where a mistake was retired, `llmdrills-mine-LANG-upgrade.apkg` empties its card too. Raises HistoryError,
    BuildError and ContentError.
    """
    computed = load_computed(workspace.root)
    found = mistakes(history, workspace.katas)
    open_ones = [one for one in found if not one.beaten]
    notes = tuple(_note(one, workspace, computed) for one in open_ones)
    retired = _retire(folder, {note.id for note in notes})
    if not notes and not retired:
        return Built((), 0, 0)
    katas = tuple(
        replace(kata, slips=()) for kata in workspace.katas
    )  # for their titles; their bug notes are elsewhere
    place = notes[0].position if notes else workspace.katas[0].position
    deck = Deck(_DECK, _TITLE, _ABOUT, notes, place, languages=languages)
    mine = Workspace(folder, (deck,), katas, (), NAMESPACE)
    folder.mkdir(parents=True, exist_ok=True)
    build(mine, folder / "build", BuildOptions(languages=languages))
    return Built(tuple(_copied(folder / "build", out, languages)), len(notes), retired)


def _copied(source: Path, out: Path, languages: tuple[Language, ...]) -> list[Path]:
    """The packages, under the names that tell them from those of a workspace."""
    out.mkdir(parents=True, exist_ok=True)
    copies = []
    for language in languages:
        for upgrade in (False, True):
            package = package_path(source, language, upgrade=upgrade)
            target = out / package.name.replace("llmdrills-", "llmdrills-mine-", 1)
            if package.exists():
                write_atomically(target, package.read_bytes())
                copies.append(target)
            else:
                target.unlink(missing_ok=True)
    return copies


def _retire(folder: Path, alive: set[str]) -> int:
    """Make tombstones of the notes that are asked for no more, and count all that are beaten."""
    lock = read_lock(folder)
    if lock is None:
        shutil.rmtree(folder / "build", ignore_errors=True)  # packages without a lock are no release to go on from
        return 0
    gone = sorted({line.note for line in lock.notes.values() if line.note not in alive})
    for name in gone:
        if not any(line.retired for line in lock.notes.values() if line.note == name):
            lock = lock.retire(name, _BEATEN)
    write_atomically(lock_file(folder), lock.text())
    return len(gone)


def _note(mistake: Mistake, workspace: Workspace, computed: Computed) -> Note:
    kata = workspace.kata(mistake.kata)
    slip = next(one for one in kata.slips if one.id == mistake.slip) if kata else None
    if kata is None or slip is None:
        raise LookupError(mistake.slip)  # `mistakes` names only slips of these katas
    return Note(
        id=f"mine-{kata.id}-{slip.id}",
        type="bug",
        topic=kata.topic,
        position=slip.position,
        front=_front(kata, mistake),
        back=_back(kata, slip, mistake, computed),
        sources=kata.sources,
        kata=kata.id,
    )


def _front(kata: Kata, mistake: Mistake) -> Bilingual:
    code = _own_lines(mistake.code, kata.entry)
    fence = "```" if "```" not in code else "~~~~"
    day = mistake.moment.day.isoformat()
    texts = {
        language: f"{_QUESTION[language].format(title=kata.title[language], day=day)}\n\n{fence}python\n{code}\n{fence}"
        for language in LANGUAGES
    }
    return Bilingual(texts["en"], texts["zh"])


def _back(kata: Kata, slip: Slip, mistake: Mistake, computed: Computed) -> Bilingual:
    exposed = computed.exposed(kata.id, slip.id, mistake.variant)

    def text(language: Language) -> str:
        parts = [slip.feedback[language]]
        if slip.fix:
            parts.append(f"{_RIGHT[language]}\n\n```python\n{_dedent(slip.fix)}\n```")
        if exposed:
            lines = [
                exposed.call,
                _EXPECTED[language].format(value=exposed.expected),
                _GOT[language].format(value=exposed.got),
            ]
            shown = "\n".join(lines).replace("```", "'''")
            parts.append(f"{_SHOWN_BY[language].format(case=exposed.case)}\n\n```python\n{shown}\n```")
        elif mistake.case:
            parts.append(_FAILED[language].format(case=mistake.case))
        return "\n\n".join(parts)

    return Bilingual(text("en"), text("zh"))


def _own_lines(code: str, entry: str) -> str:
    """The learner's functions up to the entry, without comments and docstrings, as other cards show code."""
    lines = code.split("\n")
    kept: list[str] = []
    try:
        for node in parsed(code).body:
            if isinstance(node, ast.FunctionDef):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                kept += [*lines[first - 1 : node.end_lineno], ""]
                if node.name == entry:
                    shown = shown_kernel("\n".join(kept), entry)
                    return "\n".join(shown.rstrip("\n").split("\n")[:_LONGEST])
    except (SyntaxError, ValueError):
        pass  # a file that ran and parses no more: another Python wrote it, and its lines are shown as they are
    return "\n".join(lines[:_LONGEST]).strip("\n")


def _dedent(code: str) -> str:
    lines = code.rstrip().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)
