"""Rules about questions: one fact in each note, no question that yes or no answers, no two notes alike."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmdrills.content.lint.rule import Context, Found, place, rule, spoken
from llmdrills.content.lint.texts import prose, sentences, words

if TYPE_CHECKING:
    from llmdrills.content.model import Note
    from llmdrills.language import Language

__all__: list[str] = []

_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+\S", re.MULTILINE)
_MOST_SENTENCES = 3
_MOST_WORDS = {"en": 60, "zh": 110}
_YES_NO = {
    "en": re.compile(
        r"^(?:so |then |but |and )?"
        r"(?:is|are|was|were|does|do|did|can|could|will|would|should|must|may|has|have|had)(?:n't)?\b",
        re.IGNORECASE,
    ),
    "zh": re.compile(r"吗[？?]|是否|是不是|能否|能不能|会不会|有没有|对不对"),
}
_OR = {"en": re.compile(r"\bor\b", re.IGNORECASE), "zh": re.compile(r"还是")}
_CLAUSES = re.compile(r",? and (?:why|how|what|when|which|where)\b(?! (?:many|much)\b)", re.IGNORECASE)
_LIKE_ENOUGH = 0.9


@rule("several-facts")
def several_facts(context: Context) -> Iterator[Found]:
    """An answer with several facts: a learner forgets each of them separately, so each needs a note of its own."""
    for note, languages in context.notes():
        if note.type not in ("question", "number"):
            continue
        for language in spoken(languages):
            if note.back and note.type == "question":
                why = _too_much(note.back[language], language)
                if why:
                    todo = "make it a checklist with a note for each item, or split it into notes of one fact"
                    yield Found(place(note, f"back.{language}"), f"the answer of `{note.id}` {why}", todo, note)
            question = prose(note.front[language])
            questions = len(re.findall(r"[?？]", question))
            if questions > 1 or (language == "en" and questions and _CLAUSES.search(question)):
                what = f"`{note.id}` asks more than one question"
                yield Found(place(note, f"front.{language}"), what, "ask each in a note of its own", note)


def _too_much(text: str, language: Language) -> str:
    if len(_ITEM.findall(text)) > 1:
        return "is a list"
    if len(sentences(text)) > _MOST_SENTENCES:
        return f"has more than {_MOST_SENTENCES} sentences"
    if len(words(text)) > _MOST_WORDS[language]:
        return f"has more than {_MOST_WORDS[language]} {'words' if language == 'en' else 'characters'}"
    return ""


@rule("yes-no")
def yes_no(context: Context) -> Iterator[Found]:
    """A learner guesses the answer to a yes-or-no question right half of the time."""
    for note, languages in context.notes():
        for language in spoken(languages):
            for sentence in _questions(note.front[language]):
                if _YES_NO[language].search(sentence) and not _OR[language].search(sentence):
                    what = f"`{note.id}` is answered by yes or no"
                    yield Found(place(note, f"front.{language}"), what, "ask what, why, which or how much", note)
                    break


def _questions(text: str) -> list[str]:
    return [one for one in sentences(text) if one.endswith(("?", "？"))]


@rule("enumeration-without-atoms")
def enumeration_without_atoms(context: Context) -> Iterator[Found]:
    """A list is learnt item by item, so a checklist needs notes that ask for single items."""
    notes = [note for note, _ in context.notes()]
    for note in notes:
        if note.type == "checklist" and sum(_is_atom(other, note) for other in notes) < 2:
            todo = f"add notes that ask for single items, with ids that begin with `{note.id}-`"
            yield Found(note.position, f"the checklist `{note.id}` has fewer than two atoms", todo, note)


def _is_atom(note: Note, of: Note) -> bool:
    """Whether a note asks for a part of what a checklist lists: it proves it, or is near it in topic, name or use."""
    if note.type == "checklist" or note is of:
        return False
    if of.id in note.proves or note.id.startswith(f"{of.id}-"):
        return True
    near = set(note.proves) & set(of.proves) or _id_words(note) & _id_words(of)
    return note.topic == of.topic and bool(near or (note.kata and note.kata == of.kata))


def _id_words(note: Note) -> set[str]:
    return {word.removesuffix("s") for word in note.id.split("-") if len(word) > 3}


@rule("near-duplicate")
def near_duplicate(context: Context) -> Iterator[Found]:
    """Two fronts that a learner can't tell apart are answered with each other's backs.

    The second of them is told, unless only the first waives it: then it is told there, and so held back.
    """
    for language in context.languages():
        fronts = [(note, _signature(note, language)) for note, languages in context.notes() if language in languages]
        for one, two in _alike(fronts):
            waived = "near-duplicate" in one.waive and "near-duplicate" not in two.waive
            first, second = (two, one) if waived else (one, two)
            other = f"`{first.id}` ({first.position.file}:{first.position.line})"
            what = f"the front of `{second.id}` is nearly that of {other}"
            yield Found(place(second, f"front.{language}"), what, "say in each what sets it apart", second)


def _signature(note: Note, language: Language) -> frozenset[str]:
    """What a front is compared by: its words with their counts (in Chinese pairs of characters), math and code too."""
    text = re.sub(r"\{\{c\d+::|\}\}", " ", note.front[language]).lower()
    parts = re.findall(r"[\u3400-\u9fff]|[^\W_]+", text)
    if language == "zh":
        parts = [a + b for a, b in itertools.pairwise(parts)] or parts
    counts: Counter[str] = Counter()
    marked = []
    for part in parts:
        counts[part] += 1
        marked.append(f"{part}#{counts[part]}")
    return frozenset(marked)


def _alike(fronts: list[tuple[Note, frozenset[str]]]) -> Iterator[tuple[Note, Note]]:
    """Pairs whose signatures share at least `_LIKE_ENOUGH` of their union.

    Two such sets share one of their rarest few members, so that only those are indexed. Sets of one size that share a
    member at one place can have at most the rest in common, so that whole groups are left out at once: near-linear in
    the notes, also where thousands differ in one number.
    """
    frequency = Counter(part for _, parts in fronts for part in parts)
    index: dict[str, dict[tuple[int, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (note, parts) in enumerate(fronts):
        rare = sorted(parts, key=lambda part: (frequency[part], part))
        size = len(rare)
        seen: set[int] = set()
        for at, part in enumerate(rare[: size - math.ceil(_LIKE_ENOUGH * size) + 1]):
            for (there, other_size), members in index[part].items():
                shared = _LIKE_ENOUGH / (1 + _LIKE_ENOUGH) * (size + other_size)
                if min(size - at, other_size - there) < shared - 1e-9:
                    continue
                for j in members:
                    other = fronts[j][1]
                    if j not in seen and len(parts & other) >= _LIKE_ENOUGH * len(parts | other):
                        yield fronts[j][0], note
                    seen.add(j)
            index[part][at, size].append(i)
