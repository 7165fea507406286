"""The steps of an exam that no terminal is needed for: who sits it, and what each task begins from."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from llmdrills.cli.day.beginning import Begun
from llmdrills.cli.record import practice_file
from llmdrills.content.repair import first_text
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.practice import repetition as repetitions
from llmdrills.practice.alone import alone
from llmdrills.practice.exam_cards import card_of
from llmdrills.practice.repetition_record import RepetitionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmdrills.cli.exam.papers import Papers
    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata, Note
    from llmdrills.language import Language
    from llmdrills.practice.exam import Exam, Task
    from llmdrills.practice.exam_cards import Card
    from llmdrills.practice.history import History

__all__ = ["begin_kata", "is_settled", "only_one", "question_card"]

_ELSEWHERE = Bilingual("an exam is open elsewhere", "另一处正在进行考试")
_GO_THERE = Bilingual(
    "go on there, or break it off there: q in a terminal, a button on the page",
    "请在那里继续，或在那里暂停：终端中按 q，网页中点按钮",
)
_NO_LOCK = Bilingual("cannot write to {folder}: {why}", "无法写入 {folder}：{why}")
_MAKE_WRITABLE = Bilingual(
    "make it writable, or set LLMDRILLS_HOME to a folder that is", "请使其可写，或将 LLMDRILLS_HOME 设为可写的文件夹"
)


@contextlib.contextmanager
def only_one(file: Path) -> Iterator[None]:
    """Hold the exam's file. Raises UsageError when another process does."""
    with contextlib.ExitStack() as held:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(alone(file, wait=False))
        except BlockingIOError as error:
            raise UsageError(_ELSEWHERE, _GO_THERE) from error
        except OSError as error:
            raise UsageError(_NO_LOCK.format(folder=file.parent, why=error.strerror), _MAKE_WRITABLE) from error
        yield


def question_card(papers: Papers, exam: Exam, task: Task, note: Note, language: Language) -> Card:
    """What is asked of the note; its marks begin anew where it was edited while the exam was broken off."""
    card = card_of(note, language, papers.computed, exam.terms.seed)
    if task.atoms and len(card.atoms) != task.atoms:
        task.marks.clear()
        exam.reveal(task, len(card.atoms), language)
    return card


def is_settled(history: History, kata: Kata, task: Task) -> bool:
    """Whether the task's repetition was passed and rated elsewhere, while the exam was broken off."""
    if not task.session:
        return False
    record = RepetitionRecord(history, kata, task.session, task.variant)
    return record.rated and record.passed


def begin_kata(here: Place, papers: Papers, history: History, kata: Kata, task: Task) -> Begun:
    """Go on with the exam's own repetition, or with one that holds scored work; else begin from a blank starter."""
    file = practice_file(here, kata)
    found = repetitions.resume(history, kata, None, file, begun="blank")
    if found is not None and not found.easier and (found.id == task.session or found.scored):
        variant = kata.variant(found.variant) or kata.variants[0]
        starter = first_text(kata, variant, here.language, found.seed)
        return Begun(repetitions.resume(history, kata, starter, file, begun="blank") or found, resumed=True)
    variant = papers.next_variant(history, kata)
    seed = repetitions.new_seed()
    starter = first_text(kata, variant, here.language, seed)
    begun = repetitions.start(history, kata, variant.id, file, starter, seed=seed)
    return Begun(begun, resumed=False)
