"""How an explanation is told: the diagnosis where it is whole, a note where it is not."""

from __future__ import annotations

from typing import NamedTuple

from llmdrills.content.model import Kata
from llmdrills.grading.judging.judgement import Judgement
from llmdrills.grading.judging.verdict import Diagnosis, Note
from llmdrills.language import Bilingual

__all__ = ["Told", "feedback", "told"]


class Told(NamedTuple):
    """What the learner is told of the explanation: one of the two, or neither."""

    diagnosis: Diagnosis | None
    note: Note | None


def told(judgement: Judgement) -> Told:
    """A whole explanation is the diagnosis; anything less is a note, worded as a part."""
    spec, found = judgement.spec, judgement.explanation
    if found is None:
        return Told(None, None)
    if found.recognition is not None:
        words = Bilingual(
            "In {explains} of the {failing} failing cases: {text}",
            "{failing} 个失败的用例中，有 {explains} 个是：{text}",
        )
        text = found.recognition.told(judgement.title(found.recognition.case))[spec.language]
        message = words[spec.language].format(explains=found.explains, failing=found.failing, text=text)
        return Told(None, Note("recognised", found.id, message, found.explains, found.failing))
    text = feedback(spec.kata, spec.variant, found.id)[spec.language]
    if found.whole:
        if found.second:
            other = feedback(spec.kata, spec.variant, found.second)[spec.language]
            text = _TWO[spec.language].format(one=text, other=other)
        if found.besides:
            text = _BESIDES[found.besides][spec.language].format(text=text)
        return Told(Diagnosis(found.id, text, found.explains, found.failing, found.second), None)
    words = _PART_OF_ALL if found.further else _PART
    message = words[spec.language].format(explains=found.explains, failing=found.failing, text=text)
    return Told(None, Note("partial", found.id, message, found.explains, found.failing))


_TWO = Bilingual("Two mistakes. 1. {one} 2. {other}", "有两处错误：（1）{one}（2）{other}")
_BESIDES = {
    ("types",): Bilingual(
        "{text} This explains every case in float32, but not all in other types.",
        "{text}这能解释 float32 输入的全部用例，但不能解释其他类型的全部用例。",
    ),
    ("empty",): Bilingual(
        "{text} This does not explain every case with empty tensors.",
        "{text}但带空张量的用例，这不能全部解释。",
    ),
    ("empty", "types"): Bilingual(
        "{text} This does not explain every case with empty tensors or in other types than float32.",
        "{text}但带空张量的用例，以及 float32 以外类型的用例，这不能全部解释。",
    ),
}
_PART = Bilingual(
    "This explains {explains} of the {failing} failing cases: {text}",
    "{failing} 个失败的用例中，这一条能解释 {explains} 个：{text}",
)
_PART_OF_ALL = Bilingual(
    "This explains {explains} of {failing} failing cases and further draws, so there is something else too: {text}",
    "失败的用例和额外抽取的输入共 {failing} 个，这一条能解释其中 {explains} 个，所以还另有问题：{text}",
)


def feedback(kata: Kata, variant: str, slip_id: str) -> Bilingual:
    """What to say to whoever made this slip; empty when the kata has none of that id."""
    for slip in kata.slips:
        if slip.id == slip_id and slip.belongs_to(variant):
            return slip.feedback
    other = kata.variant(slip_id.removeprefix("variant-"))
    return other.mistaken if other is not None and other.mistaken is not None else Bilingual("", "")
