"""Rules about cases.zh.yaml and reference.zh.yaml: what is read of a kata's Python is told in Chinese, as it is now."""

from __future__ import annotations

from collections.abc import Iterator

from llmdrills.content.casetexts import FILE_NAME, read_case_texts
from llmdrills.content.kernels import read_cases
from llmdrills.content.lint.rule import Context, Found, rule
from llmdrills.content.model import Position
from llmdrills.content.pythonfile import parse
from llmdrills.content.referencetexts import prose_of, read_reference_texts
from llmdrills.content.report import Report, did_you_mean

__all__: list[str] = []


@rule("case-in-chinese")
def case_in_chinese(context: Context) -> Iterator[Found]:
    """A case that fails is told to a Chinese reader by its name and its `why`. An older copy is left as it is."""
    for kata in context.katas_in_chinese():
        report = Report(context.workspace.root)
        texts, reader = read_case_texts(kata.folder, report)
        if kata.notices and reader is None:
            continue
        for problem in report.problems:
            yield Found(Position(problem.file, problem.line, problem.column), problem.what, problem.todo)
        clauses = {variant.id: tuple(filter(None, variant.ids)) for variant in kata.variants}
        file = read_cases(kata.cases_file, clauses, report)
        whys = file.whys if file else {}
        for name, why in whys.items():
            at, text = context.at_case(kata, name), texts.get(name)
            if text is None:
                todo = f"write `{name}: {{title: …, en: the `why` of cases.py, zh: …}}`"
                yield Found(at, f"{FILE_NAME} says nothing of the case `{name}`", todo)
            elif text.why.en != why:
                todo = f"cases.py says “{why}”: look at `zh` again, and write this as `en`"
                yield Found(at, f"the Chinese of the case `{name}` is stale: its `en` is “{text.why.en}”", todo)
        for name in texts.keys() - whys.keys() if whys else ():
            yield Found(context.at_case(kata, name), f"cases.py has no case `{name}`", did_you_mean(name, whys))


@rule("reference-in-chinese")
def reference_in_chinese(context: Context) -> Iterator[Found]:
    """A Chinese starter and solution have the docstrings and comments of reference.py, or solution.py, in Chinese."""
    for kata in context.katas_in_chinese():
        report = Report(context.workspace.root)
        texts, reader = read_reference_texts(kata.texts_file, report)
        if kata.notices and reader is None:
            continue
        for problem in report.problems:
            yield Found(Position(problem.file, problem.line, problem.column), problem.what, problem.todo)
        shown, chinese = kata.solution_file.name, kata.texts_file.name
        file = parse(kata.solution_file, report)
        said = dict.fromkeys(prose_of("\n".join(file.lines) + "\n")) if file else {}
        known = kata.position.file.parent / chinese
        for text in said:
            if text not in texts:
                todo = "add it to `texts`, with its `zh`"
                yield Found(Position(known, 1, 1), f"{chinese} lacks the text “{_brief(text)}” of {shown}", todo)
        places = {} if reader is None else reader.places
        for at, text in enumerate(texts) if said else ():
            if text not in said and text not in "\n".join(file.lines if file else ()):
                line, column = places.get(f"texts.{at}.en", (1, 1))
                what = f"{shown} does not say “{_brief(text)}” any more"
                yield Found(Position(known, line, column), what, "look at its `zh` again, or take the entry out")


def _brief(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
