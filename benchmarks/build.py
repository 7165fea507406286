"""The two bars of the build, as ratios within one run.

    python -m benchmarks.build

The workspace has 10,000 Markdown notes in one language, in 20 files, with math in each note and code in every fifth.
Processor time of whole processes is measured, because it depends less on what else runs and none of them uses a second
core. The rounds take turns, and the best of each counts.

- cold: ours (load, check, render, lock, package) against anki-yaml-tool building the same notes, which it does not read
  as Markdown. Bar: at most 0.5.
- after an edit of one note: ours against genanki writing the same notes, rendered beforehand. Bar: at most 3.

anki-yaml-tool is not a dependency. Install it in a folder of its own (`pip install --target DIR anki-yaml-tool`) and
set ANKI_YAML_TOOL=DIR. Without it, the reference does the main part of its work: yaml.safe_load of every file, then
genanki.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

NOTES, FILES, ROUNDS = 10_000, 20, 3

_OURS = """
import sys
from pathlib import Path
from llmdrills.content import load_workspace
from llmdrills.decks.build import BuildOptions, build
root = Path(sys.argv[1])
cache = root / "cache"
report = build(load_workspace(root, cache), root / "build", BuildOptions(languages=("en",), cache_dir=cache))
print(sum(package.notes for package in report.packages), report.forecasts[0].count("updated"))
"""
_STAND_IN = """
import sys
from pathlib import Path
import genanki, yaml
deck = genanki.Deck(1, "Bench")
model = genanki.Model(2, "Bench", fields=[{"name": "Front"}, {"name": "Back"}],
                      templates=[{"name": "Card 1", "qfmt": "{{Front}}", "afmt": "{{Back}}"}])
for file in sorted(Path(sys.argv[1]).glob("*.yaml")):
    for item in yaml.safe_load(file.read_text("utf-8"))["data"]:
        deck.add_note(genanki.Note(model, [item["front"], item["back"]], tags=item["tags"]))
genanki.Package(deck).write_to_file(sys.argv[2] + "/bench.apkg")
"""
_GENANKI = """
import json, sys
import genanki
notes = json.load(open(sys.argv[1]))
names = [f"F{place}" for place in range(len(notes[0]["fields"]))]
model = genanki.Model(2, "Bench", fields=[{"name": name} for name in names],
                      templates=[{"name": "Card 1", "qfmt": "{{F0}}", "afmt": "{{F1}}"}])
deck = genanki.Deck(1, "Bench")
for note in notes:
    deck.add_note(genanki.Note(model, note["fields"], tags=note["tags"], guid=note["guid"]))
genanki.Package(deck).write_to_file(sys.argv[2] + "/bench.apkg")
"""


@dataclass(frozen=True)
class Bar:
    """One bar: what was measured (seconds), their ratio, and what it may be at most."""

    name: str
    seconds: float
    reference: float
    limit: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.seconds / self.reference

    @property
    def held(self) -> bool:
        """Whether the bar holds."""
        return self.ratio <= self.limit


def _texts(number: int) -> tuple[str, str]:
    front = f"How many multiply–adds do the scores $Q_{{{number}}}K^\\\\top$ of **layer {number}** take, and why?"
    back = (
        f"$n^2 d_{{{number}}}$: each of the *n* queries takes a dot product of length {number} with the `n` keys.\\n\\n"
        f"- the weighted sum costs as much again\\n- the projections cost $4nd^2$, which is more while $n < 2d$"
    )
    if number % 5 == 0:
        back += f"\\n\\n```python\\nscores = Q @ K.transpose(-2, -1) / math.sqrt({number})  # (B, H, L, S)\\n```"
    return front, back


def make_workspace(root: Path, notes: int = NOTES, files: int = FILES) -> None:
    """A workspace with that many notes in one language."""
    (root / "decks").mkdir(parents=True)
    for file in range(files):
        lines = [
            f"deck: bench-{file}",
            "languages: [en]",
            f"title: {{en: Bench {file}}}",
            "description: {en: Bench}",
            "notes:",
        ]
        for number in range(file * notes // files, (file + 1) * notes // files):
            front, back = _texts(number)
            lines += [
                f"  - id: note-{number}",
                "    type: question",
                "    topic: transformer",
                f'    front: {{en: "{front}"}}',
                f'    back: {{en: "{back}"}}',
                f'    sources: [{{title: "Paper {number}", url: "https://example.org/{number}"}}]',
            ]
        (root / "decks" / f"bench-{file}.yaml").write_text("\n".join(lines) + "\n", "utf-8")


def make_reference(root: Path, notes: int = NOTES, files: int = FILES) -> None:
    """The same notes as anki-yaml-tool wants them."""
    root.mkdir(parents=True)
    head = (
        'config:\n  name: Bench\n  deck-name: Bench\n  css: ""\n  fields: [Front, Back]\n  templates:\n'
        '    - {name: Card 1, qfmt: "{{Front}}", afmt: "{{Back}}"}\ndata:\n'
    )
    for file in range(files):
        lines = []
        for number in range(file * notes // files, (file + 1) * notes // files):
            front, back = _texts(number)
            lines += [f'  - front: "{front}"', f'    back: "{back}"', "    tags: [transformer]"]
        (root / f"bench-{file}.yaml").write_text(head + "\n".join(lines) + "\n", "utf-8")


def _children() -> float:
    """Processor time of all children so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _timed(command: list[str], **variables: str) -> float:
    before = _children()
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    seconds = _children() - before
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds


def _reference_command(folder: Path, out: Path) -> tuple[list[str], dict[str, str], str]:
    given = os.environ.get("ANKI_YAML_TOOL")
    options = [
        "batch-build",
        "--files",
        str(folder / "*.yaml"),
        "--merge",
        "--deck-name",
        "Bench",
        "--output-dir",
        str(out),
    ]
    if given:
        code = "from anki_yaml_tool.cli import cli; cli()"
        return [sys.executable, "-c", code, *options], {"PYTHONPATH": given}, "anki-yaml-tool, merged build"
    return (
        [sys.executable, "-c", _STAND_IN, str(folder), str(out)],
        {},
        "anki-yaml-tool is absent: yaml.safe_load + genanki",
    )


def cold(folder: Path) -> Bar:
    """The first build of everything."""
    make_reference(folder / "reference")
    command, variables, what = _reference_command(folder / "reference", folder)
    ours, theirs = [], []
    for number in range(ROUNDS):
        root = folder / f"cold-{number}"
        make_workspace(root)
        ours.append(_timed([sys.executable, "-c", _OURS, str(root)]))
        theirs.append(_timed(command, **variables))
    return Bar(f"build of {NOTES:,} notes, cold", min(ours), min(theirs), 0.5, what)


def after_an_edit(folder: Path) -> Bar:
    """A build after one note changed: `folder` holds a workspace that was built before."""
    root = folder / "cold-0"
    rendered = folder / "rendered.json"
    rendered.write_text(json.dumps(_rendered(root)), "utf-8")
    file = root / "decks" / "bench-0.yaml"
    ours, theirs = [], []
    for number in range(ROUNDS):
        file.write_text(file.read_text("utf-8").replace("multiply–adds do", f"multiply–adds ({number}) do", 1), "utf-8")
        ours.append(_timed([sys.executable, "-c", _OURS, str(root)]))
        command = [sys.executable, "-c", _GENANKI, str(rendered), str(folder)]
        theirs.append(_timed(command))
    return Bar(
        f"build of {NOTES:,} notes after an edit of one",
        min(ours),
        min(theirs),
        3.0,
        "genanki, rendered beforehand",
    )


def _rendered(root: Path) -> list[dict[str, object]]:
    """The notes of the last package, as genanki would be given them."""
    import sqlite3
    import zipfile

    with zipfile.ZipFile(root / "build" / "llmdrills-en.apkg") as archive, sqlite3.connect(":memory:") as database:
        database.deserialize(archive.read("collection.anki2"))
        rows = database.execute("select guid, flds, tags from notes order by id").fetchall()
    return [{"guid": guid, "fields": fields.split("\x1f"), "tags": tags.split()} for guid, fields, tags in rows]


def bars() -> list[Bar]:
    """Measure both."""
    folder = Path(tempfile.mkdtemp(prefix="llmdrills-bench-"))
    try:
        return [cold(folder), after_an_edit(folder)]
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Print the bars; 1 when one does not hold."""
    found = bars()
    for bar in found:
        verdict = "holds" if bar.held else "BROKEN"
        print(
            f"{verdict:6} {bar.name}: {bar.seconds:.2f} s / {bar.reference:.2f} s = {bar.ratio:.2f}"
            f" (at most {bar.limit:g}) [{bar.note}]"
        )
    return 0 if all(bar.held for bar in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
