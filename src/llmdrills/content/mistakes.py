"""What each known mistake of a kata is, in words, for lists of what a learner met: quick, and nothing is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.content.kata import Kata

__all__ = ["mistakes"]


def mistakes(kata: Kata) -> dict[str, Bilingual]:
    """The text of each slip by its id, and of each other variant as a mistake (`variant-ID`).

    One that cannot be read is left out, and so are those that an older copy keeps in cases.py: whoever shows a mistake
    then shows its id.
    """
    found = {f"variant-{one.id}": one.mistaken for one in kata.variants if one.mistaken is not None}
    found |= {slip.id: slip.feedback for slip in kata.slips}
    for slip in _entries(kata) if not kata.slips else ():
        if isinstance(slip, dict) and all(isinstance(slip.get(key), str) for key in ("id", "en", "zh")):
            found.setdefault(slip["id"], Bilingual(slip["en"].strip(), slip["zh"].strip()))
    return found


def _entries(kata: Kata) -> list[Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(kata.slips_file.read_text("utf-8"), Loader=loader)  # noqa: S506  # a safe loader, either way
    except (OSError, ValueError, yaml.YAMLError):
        return []
    slips = data.get("slips") if isinstance(data, dict) else None
    return slips if isinstance(slips, list) else []
