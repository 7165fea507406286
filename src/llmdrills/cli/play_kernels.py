"""Whose kernels the small model runs: the learner's that passed, what the command line names, references."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmdrills.cli.options import nearest
from llmdrills.cli.record import open_history
from llmdrills.content.attempt_source import read_attempt
from llmdrills.content.catalogue import load_catalogue, with_slips
from llmdrills.content.notebookfile import variant_of
from llmdrills.content.starter import read_header
from llmdrills.errors import UsageError
from llmdrills.grading.play.parts import PARTS, Part, part_of
from llmdrills.grading.play.request import PlacedKernel
from llmdrills.language import Bilingual, listed
from llmdrills.paths import bundled_workspace
from llmdrills.practice.past import passed_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmdrills.cli.options import Place
    from llmdrills.content.model import Kata

__all__ = ["Asked", "Chosen", "chosen", "feedback_of", "katas_of_parts"]

_NO_EQUALS = Bilingual("`--with {text}` names no file", "`--with {text}` 没有给出文件")
_WRITE_EQUALS = Bilingual("write `--with KATA=FILE`", "请写成 `--with 练习=文件`")
_NO_SLASH = Bilingual("`--slip {text}` names no known mistake", "`--slip {text}` 没有给出常见错误的名称")
_WRITE_SLASH = Bilingual(
    "write `--slip KATA/SLIP`; `llmdrills play --costs KATA` lists them",
    "请写成 `--slip 练习/常见错误`；`llmdrills play --costs 练习` 会列出全部",
)
_NO_PART = Bilingual("{kata!r} has no part in the model", "{kata!r} 不在这个模型中")
_PARTS = Bilingual("its parts are {katas}", "它的组成部分是 {katas}")
_NO_SLIP = Bilingual(
    "{kata} has no known mistake {wanted!r} in its variant {variant}", "{kata} 的变体 {variant} 没有常见错误 {wanted!r}"
)
_LIST = Bilingual("`llmdrills play --costs {kata}` lists them", "`llmdrills play --costs {kata}` 会列出全部")
_TWICE = Bilingual("{kata} is given twice", "{kata} 给了两次")
_ONCE = Bilingual("give one file or one known mistake for each kata", "每个练习只能给一个文件或一个常见错误")
_OTHER_KATA = Bilingual("{file} is a file for {kata}", "{file} 是 {kata} 的文件")
_NAME_IT = Bilingual(
    "write `--with {kata}={file}`, or change its first line", "请写成 `--with {kata}={file}`，或修改首行"
)
_OTHER_VARIANT = Bilingual(
    "{file} says that it answers {given}; the model is built for {variant} of {kata}.",
    "{file} 首行写的是变体 {given}；模型是按 {kata} 的 {variant} 变体搭建的。",
)


@dataclass(frozen=True)
class Asked:
    """What the command line says: `KATA=FILE` and `KATA/SLIP`, and whether the learner's passed kernels are taken."""

    files: tuple[str, ...] = ()
    slips: tuple[str, ...] = ()
    own: bool = True


@dataclass(frozen=True)
class Chosen:
    """The kernel of each part, in the order of `PARTS`, and what is to be said of the files."""

    placed: tuple[PlacedKernel, ...]
    remarks: tuple[Bilingual, ...] = ()

    def of(self, kata: str) -> PlacedKernel:
        """The kernel of that part."""
        return next(one for one in self.placed if one.kata.id == kata)


def katas_of_parts(here: Place) -> dict[str, Kata]:
    """The kata of each part: the workspace's, and where it has none with that variant, the one of the package."""
    found: dict[str, Kata] = {}
    for root in dict.fromkeys((here.workspace, bundled_workspace())):
        known = {kata.id: kata for kata in load_catalogue(root, here.locations.cache)}
        for part in PARTS:
            kata = known.get(part.kata)
            if part.kata not in found and kata is not None and kata.variant(part.variant):
                found[part.kata] = kata
        if len(found) == len(PARTS):
            break
    return found


def chosen(here: Place, asked: Asked) -> Chosen:
    """The kernel of every part. Raises UsageError for what names no kata, file or slip."""
    katas = katas_of_parts(here)
    placed = {part.kata: PlacedKernel(katas[part.kata], part.variant) for part in PARTS}
    remarks: list[Bilingual] = []
    named: set[str] = set()
    for text in asked.slips:
        kata, _, slip = text.partition("/")
        part = _part(kata, named, _NO_SLASH.format(text=text) if not slip else None, _WRITE_SLASH)
        placed[kata] = _slip(katas[kata], part, slip)
    for text in asked.files:
        kata, _, file = text.partition("=")
        part = _part(kata, named, _NO_EQUALS.format(text=text) if not file else None, _WRITE_EQUALS)
        placed[kata], remark = _file(katas[kata], part, Path(file))
        remarks += remark
    if asked.own:
        placed.update(_passed(here, katas, named))
    return Chosen(tuple(placed.values()), tuple(remarks))


def _part(kata: str, named: set[str], wrong: Bilingual | None, todo: Bilingual) -> Part:
    """The part that an option names, for the first time."""
    part = part_of(kata)
    if wrong is not None:
        raise UsageError(wrong, todo)
    if part is None:
        known = [one.kata for one in PARTS]
        raise UsageError(_NO_PART.format(kata=kata), nearest(kata, known, _PARTS.format(katas=listed(known))))
    if kata in named:
        raise UsageError(_TWICE.format(kata=kata), _ONCE)
    named.add(kata)
    return part


def _slip(kata: Kata, part: Part, slip: str) -> PlacedKernel:
    full = with_slips(kata)
    known = slips_of(full, part)
    if slip not in known:
        wrong = _NO_SLIP.format(kata=kata.id, wanted=slip, variant=part.variant)
        raise UsageError(wrong, nearest(slip, known, _LIST.format(kata=kata.id)))
    return PlacedKernel(full, part.variant, "slip", slip)


def slips_of(kata: Kata, part: Part) -> dict[str, Bilingual]:
    """What may stand behind `--slip KATA/`, with what a learner is told: slips, and other variants' references."""
    variant = kata.variant(part.variant)
    found = {slip.id: slip.feedback for slip in kata.slips if slip.belongs_to(part.variant)}
    for other in kata.variants:
        weaker = other.weaker_than or (variant is not None and variant.weaker_than)
        if other.id != part.variant and other.mistaken is not None and not weaker:
            found.setdefault(f"variant-{other.id}", other.mistaken)
    return found


def feedback_of(placed: PlacedKernel) -> Bilingual:
    """What a learner is told of the slip that is placed."""
    part = part_of(placed.kata.id)
    return slips_of(placed.kata, part)[placed.slip] if part is not None else Bilingual("", "")


def _file(kata: Kata, part: Part, file: Path) -> tuple[PlacedKernel, list[Bilingual]]:
    source = read_attempt(file, str(file), kata)
    asked = variant_of(source.cell) if source.cell is not None else None
    header = (kata.id, asked) if asked else read_header(source.code.decode("utf-8", errors="replace"))
    if header is not None and header[0] != kata.id:
        raise UsageError(_OTHER_KATA.format(file=file, kata=header[0]), _NAME_IT.format(kata=header[0], file=file))
    other = header is not None and header[1] != part.variant
    words = {"file": source.name, "variant": part.variant, "kata": kata.id, "given": header[1] if header else ""}
    remark = [_OTHER_VARIANT.format(**words)] if other else []
    return PlacedKernel(kata, part.variant, "mine", source=source.code, file=source.name), remark


def _passed(here: Place, katas: Mapping[str, Kata], named: set[str]) -> dict[str, PlacedKernel]:
    """The learner's latest passing kernel of each part that no option names. A history is not made for it."""
    if not here.locations.history_file.exists():
        return {}
    found: dict[str, PlacedKernel] = {}
    with open_history(here) as history:
        for part in PARTS:
            code = None if part.kata in named else passed_code(history, part.kata, part.variant)
            if code is not None:
                file = f"{part.kata}.py"
                found[part.kata] = PlacedKernel(katas[part.kata], part.variant, "mine", source=code, file=file)
    return found
