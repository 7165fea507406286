"""What a readiness item still lacks, in katas and in notes, and the one thing to do for it now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from llmdrills.language import Bilingual, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.readiness.assessment import KataEvidence, NotesEvidence

__all__ = ["CLEAN_DAYS", "OF_NOTES", "Missing", "missing", "next_step"]

CLEAN_DAYS = 2  # days with a pass without help: one may be luck
OF_NOTES = 80  # percent of an item's notes that must be recalled


class Missing(NamedTuple):
    """What stands between an item and being ready.

    `days`: clean days that a core kata still asks for; `faded`: core katas that were shown, and would not be recalled
    now; `learn`: notes to review for the first time; `recall`: reviewed
    notes that must be recalled again beside those that are.
    The last two are 0 where no reviews were imported from Anki, because notes do not count then.
    """

    days: tuple[tuple[str, int], ...]
    faded: tuple[str, ...]
    learn: int
    recall: int

    def to_json(self) -> dict[str, Any]:
        """Part of the readiness schema."""
        days = [{"kata": kata, "clean_days": left} for kata, left in self.days]
        return {"katas": days, "faded": list(self.faded), "notes_to_learn": self.learn, "notes_to_recall": self.recall}


def missing(katas: Sequence[KataEvidence], anki: NotesEvidence | None, *, shown: bool) -> Missing:
    """What an item lacks. Of one that was `shown` before, katas added since are not asked for, nor notes never seen."""
    core = [one for one in katas if one.core]
    learn = recall = 0
    if anki is not None and anki.all:
        of = anki.reviewed if shown else anki.all
        needed = -(-OF_NOTES * of // 100)
        learn = max(0, needed - anki.reviewed)
        recall = max(0, needed - len(anki.recalled) - learn)
    return Missing(
        days=tuple((one.kata, CLEAN_DAYS - one.clean_days) for one in core if one.state == "not-shown" and not shown),
        faded=tuple(one.kata for one in core if one.state == "fading"),
        learn=learn,
        recall=recall,
    )


def next_step(
    name: str, katas: Sequence[KataEvidence], notes: Sequence[str], anki: NotesEvidence | None, *, shown: bool
) -> Bilingual:
    """The one thing to do for the item `name` now."""
    search = f"tag:llmdrills::proves::{name}"
    core = [one for one in katas if one.core]
    open_katas = [one for one in core if one.state == "not-shown" and not shown]
    if open_katas:
        # The one nearest to being shown.
        one = max(open_katas, key=lambda evidence: evidence.clean_days)
        left = CLEAN_DAYS - one.clean_days
        days = "one more day" if left == 1 else f"{left} days"
        return Bilingual(
            f"pass {one.kata} without help on {days}: `llmdrills start {one.kata}`",
            f"还需在另外 {left} 个不同的日子各独立通过一次 {one.kata}：`llmdrills start {one.kata}`",
        )
    fading = [one for one in core if one.state == "fading"]
    if fading:
        weakest = min(fading, key=lambda evidence: evidence.retrievability or 0.0)
        return Bilingual(
            f"do {weakest.kata} again before you forget it: `llmdrills start {weakest.kata}`",
            f"趁还没忘，再做一次 {weakest.kata}：`llmdrills start {weakest.kata}`",
        )
    if not katas and anki is None:
        return Bilingual(
            f"no kata proves this; learn its {counted(len(notes), 'note', '').en} in Anki (search {search}), then "
            "`llmdrills anki import` counts them",
            f"没有对应的编码练习；在 Anki 里学习它的 {len(notes)} 条笔记（搜索 {search}），"
            "然后用 `llmdrills anki import` 计入",
        )
    return _next_note(search, len(notes), anki, shown=shown)


def _next_note(search: str, count: int, anki: NotesEvidence | None, *, shown: bool) -> Bilingual:
    state = "ready" if anki is None or not anki.all else anki.state(shown=shown)
    if anki is not None and state == "not-shown":
        left = -(-OF_NOTES * anki.all // 100) - anki.reviewed
        notes = counted(anki.all, "note", "").en
        return Bilingual(
            f"learn {left} more of its {notes} in Anki (search {search}), then run `llmdrills anki import`",
            f"在 Anki 里再学 {left} 条笔记（共 {anki.all} 条，搜索 {search}），然后运行 `llmdrills anki import`",
        )
    if anki is not None and state == "fading":
        names = " or ".join(f"NoteId:{name}" for name in anki.forgotten[:5])
        notes = counted(anki.reviewed, "note", "").en
        return Bilingual(
            f"review in Anki what you are forgetting: {len(anki.forgotten)} of {notes} ({names})",
            f"在 Anki 里复习正在遗忘的笔记：{anki.reviewed} 条中有 {len(anki.forgotten)} 条（{names}）",
        )
    return Bilingual(
        f"keep it: `llmdrills today` brings it back in time, Anki its {counted(count, 'note', '').en}",
        f"保持即可：`llmdrills today` 会按时安排，{count} 条笔记由 Anki 安排",
    )
