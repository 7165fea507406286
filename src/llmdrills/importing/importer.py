"""Import a file as a deck of a workspace: read it, make notes of it, try them, write them."""

from __future__ import annotations

import contextlib
import re
import stat
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from llmdrills.content.deckfile import read_deck
from llmdrills.content.kata import TOPICS
from llmdrills.content.load import READINESS, deck_files
from llmdrills.content.report import Report, did_you_mean
from llmdrills.content.scaffold import check_slug
from llmdrills.content.workspacefile import WorkspaceFile, read_workspace_file
from llmdrills.decks.lock import read_lock
from llmdrills.errors import BuildError, UsageError
from llmdrills.importing.deckfile import NewDeck, passing, put, refuse_existing
from llmdrills.importing.document import documented
from llmdrills.importing.drafts import drafted
from llmdrills.importing.found import Remark
from llmdrills.importing.media import MediaBox
from llmdrills.importing.package import packaged
from llmdrills.importing.table import tabled
from llmdrills.language import LANGUAGE_TAG, Bilingual, Language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmdrills.content.note import Deck
    from llmdrills.importing.found import File, Found

__all__ = ["Imported", "Wanted", "import_file"]

_PACKAGES = {".apkg", ".colpkg", ".anki2", ".anki21"}
_TABLES = {".csv", ".tsv", ".txt"}
_DOCUMENTS = {".md", ".markdown"}

_NOTHING = Bilingual("there is no file {path}", "没有文件 {path}")
_UNKNOWN = Bilingual("{path} is no file that can be imported", "无法导入 {path}：不支持的文件类型")
_GIVE = Bilingual(
    "give an .apkg or .colpkg of Anki's, a .csv, .tsv or .txt, or a .md",
    "请给出 Anki 的 .apkg 或 .colpkg、.csv、.tsv、.txt 或 .md 文件",
)
_ONLY_PACKAGES = Bilingual("{path} has no decks of Anki's to choose from", "{path} 中没有可供选择的 Anki 牌组")
_LEAVE_FROM = Bilingual("leave --from out", "请去掉 --from")
_NO_TOPIC = Bilingual("nothing says which topic these notes belong to", "没有说明这些笔记属于哪个主题")
_SAY_TOPIC = Bilingual(
    "name one with --topic, or declare your own in workspace.toml: `[topics]` and below it `{deck} = \"{title}\"`",
    "请用 --topic 指定，或在 workspace.toml 中声明自己的主题：`[topics]` 下写 `{deck} = \"{title}\"`",
)  # fmt: skip
_UNKNOWN_TOPIC = Bilingual("there is no topic {topic!r}", "没有名为 {topic!r} 的主题")
_RESERVED = Bilingual("the deck `{deck}` holds the readiness checklist", "牌组 `{deck}` 专用于达标自查清单")
_ANOTHER = Bilingual("name another with --deck", "请用 --deck 另取一个名称")
_NO_TAG = Bilingual("`{tag}` is no tag of a language", "`{tag}` 不是语言标签")
_TAG = Bilingual("write one such as en, zh or pt-BR", "写成 en、zh、pt-BR 这样的形式")


@dataclass(frozen=True)
class Wanted:
    """What the user asks for; None where the file decides."""

    file: Path
    deck: str | None = None
    topic: str | None = None
    language: str | None = None
    of_deck: str | None = None  # of Anki's, in a package
    media: bool = True
    write: bool = True


@dataclass(frozen=True)
class Imported:
    """What became of a file. `path`: of the deck file; `said`: how the file was read, where that was a choice."""

    path: Path
    deck: NewDeck
    written: bool
    media: tuple[str, ...]
    refused: tuple[Remark, ...]
    changed: tuple[Remark, ...]
    said: tuple[Bilingual, ...]

    @property
    def waived(self) -> dict[str, list[str]]:
        """The notes that waive a rule of the linter, by rule."""
        found: dict[str, list[str]] = {}
        for note in self.deck.notes:
            for rule in note.waive:
                found.setdefault(rule, []).append(note.id)
        return found

    @property
    def kinds(self) -> dict[str, int]:
        """How many notes there are of each type."""
        return dict(Counter(note.kind for note in self.deck.notes))


@dataclass
class _Workspace:
    """What an import has to know of the workspace."""

    root: Path
    about: WorkspaceFile
    ids: set[str] = field(default_factory=set)
    decks: list[Deck] = field(default_factory=list)


def import_file(wanted: Wanted, root: Path) -> Imported:
    """Import a file into the workspace at `root`; nothing is written where no note could be taken.

    Raises UsageError, before anything is written; ContentError where workspace.toml cannot be read.
    """
    path = wanted.file
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):
        raise UsageError(_NOTHING.format(path=path), _GIVE) from None
    here = _look(root)
    deck_id = _deck_id(wanted, root)
    if wanted.language is not None and not LANGUAGE_TAG.fullmatch(wanted.language):
        raise UsageError(_NO_TAG.format(tag=wanted.language), _TAG)
    topic = _topic(wanted, deck_id, here.about)
    with _opened(wanted, kind) as found:
        media = MediaBox(found.media, root / "decks" / "media", leave_out=not wanted.media)
        drafts = drafted(found, media, deck=deck_id, file=path.name, taken_ids=here.ids)
        language = _language(wanted, found.notes, here.about)
        deck = NewDeck(
            id=deck_id,
            title=_title(found, here, language, deck_id),
            topic=topic,
            language=language,
            file=path.name,
        )
        passing(deck, drafts, root, here.about, media)
        media.keep(set().union(*(note.media for note in deck.notes)))
    write = wanted.write and bool(deck.notes)
    target = put(deck, root, media) if write else root / "decks" / f"{deck.id}.yaml"
    changed = [Remark(note.place, note.name, why) for note in deck.notes for why in note.lost]
    return Imported(
        path=target,
        deck=deck,
        written=write,
        media=tuple(sorted(media.taken)),
        refused=tuple(drafts.refused),
        changed=tuple(changed),
        said=tuple(found.said),
    )


def _look(root: Path) -> _Workspace:
    report = Report(root)
    here = _Workspace(root, read_workspace_file(root, report))
    report.raise_if_any()
    for path in deck_files(root):
        draft = read_deck(path, Report(root), here.about)
        here.ids.update(name for name, _ in draft.ids)
        if draft.deck is not None:
            here.decks.append(draft.deck)
    try:
        lock = read_lock(root)
    except BuildError:  # `check` and `build` say what is wrong with it; its ids belong to decks that are there
        lock = None
    here.ids.update(line.note for line in lock.notes.values()) if lock else None
    return here


def _deck_id(wanted: Wanted, root: Path) -> str:
    if wanted.deck is not None:
        check_slug(wanted.deck, "deck")
        name = wanted.deck
    else:
        plain = unicodedata.normalize("NFKD", wanted.file.resolve().stem).encode("ascii", "ignore").decode().lower()
        name = "-".join(re.findall("[a-z0-9]+", plain))[:60].strip("-") or "imported"
    if name == READINESS:
        raise UsageError(_RESERVED.format(deck=name), _ANOTHER)
    refuse_existing(root / "decks" / f"{name}.yaml")
    return name


def _topic(wanted: Wanted, deck: str, about: WorkspaceFile) -> str:
    """The topic that is asked for; else that of the deck's name, else the only one that the workspace declares."""
    known = about.all_topics
    if wanted.topic is not None:
        if wanted.topic not in known:
            raise UsageError(_UNKNOWN_TOPIC.format(topic=wanted.topic), _hint(wanted.topic, known))
        return wanted.topic
    if deck in known:
        return deck
    own = [name for name in about.topics if name not in TOPICS]
    if len(own) == 1:
        return own[0]
    raise UsageError(_NO_TOPIC, _SAY_TOPIC.format(deck=deck, title=wanted.file.stem.replace('"', "")))


def _hint(word: str, known: tuple[str, ...]) -> Bilingual:
    from llmdrills.messages import in_both

    return in_both(did_you_mean(word, known))


@contextlib.contextmanager
def _opened(wanted: Wanted, mode: int) -> Iterator[File]:
    """The file, read by what its name or its first bytes say that it is."""
    path, suffix = wanted.file, wanted.file.suffix.lower()
    regular = stat.S_ISREG(mode)
    if stat.S_ISDIR(mode) or (regular and (suffix in _PACKAGES or _begins_as_one(path))):
        with packaged(path, wanted.of_deck) as found:
            yield found
        return
    if not regular or suffix not in _TABLES | _DOCUMENTS:
        raise UsageError(_UNKNOWN.format(path=path), _GIVE)
    if wanted.of_deck is not None:
        raise UsageError(_ONLY_PACKAGES.format(path=path), _LEAVE_FROM)
    yield documented(path) if suffix in _DOCUMENTS else tabled(path)


def _begins_as_one(path: Path) -> bool:
    """Whether it is a package or a collection, whatever its name is."""
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except OSError:  # whoever reads it says why
        return False
    return begin.startswith(b"SQLite format 3") or (begin.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path))


def _language(wanted: Wanted, notes: list[Found], about: WorkspaceFile) -> Language:
    """The one that is asked for, or that of the workspace; of several, Chinese where the notes are written in it."""
    if wanted.language is not None:
        return cast("Language", wanted.language)
    if len(about.languages) == 1:
        return about.languages[0]
    text = re.sub(r"<[^>]*>", "", "".join(f"{note.front}{note.back}" for note in notes[:2000]))
    han = len(re.findall("[\u4e00-\u9fff]", text))
    letters = sum(letter.isalpha() for letter in text)
    if "zh" in about.languages and han * 5 > letters and not re.search("[\u3040-\u30ff]", text):
        return "zh"
    return next((name for name in about.languages if name != "zh"), about.languages[0])


def _title(found: File, here: _Workspace, language: Language, deck: str) -> str:
    """The title of the deck: a name in Anki, where `::` parts decks, and two of one name would be one deck."""
    title = " ".join(re.sub(r'[\x00-\x1f\x7f"{}]|::', " ", found.title).split())[:80] or deck
    taken = {one.title[language].casefold() for one in here.decks}
    return title if title.casefold() not in taken else f"{title} ({deck})"
