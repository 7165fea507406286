"""Rules about cases.zh.yaml: every case of a kata is told in Chinese, and as cases.py tells it now."""

from __future__ import annotations

from collections.abc import Iterator

from llmdrills.content.casetexts import FILE_NAME, read_case_texts
from llmdrills.content.kernels import read_cases
from llmdrills.content.lint.rule import Context, Found, rule
from llmdrills.content.model import Position
from llmdrills.content.report import Report, did_you_mean

__all__: list[str] = []


@rule("case-in-chinese")
def case_in_chinese(context: Context) -> Iterator[Found]:
    """A case that fails is told to a Chinese reader by its name and its `why`. An older copy is left as it is."""
    for kata in context.workspace.katas:
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
