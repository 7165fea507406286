"""Writes docs/commands.md from the commands' own help: `python docs/make_commands.py`; a test holds the file to it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from llmdrills.cli import COMMANDS, build_app

HERE = Path(__file__).parent
SUBCOMMANDS = {
    "anki": ("import", "doctor", "pull", "push"),
    "history": ("show", "export", "import", "restore"),
    "config": ("get", "set", "edit"),
    "new": ("note", "deck", "kata"),
    "packs": ("list", "allow", "refuse"),
}
HEAD = """# Commands

What `llmdrills COMMAND -h` prints. Written by `python docs/make_commands.py`.

Exit status of every command: 0 passed or nothing to do, 1 a drill failed or `check` or `doctor` found something,
2 usage, configuration, content or grader error, 130 interrupted. Data goes to stdout, messages to stderr.

Settings: a flag, else the environment (`LLMDRILLS_…`), else `llmdrills.toml` of the workspace, else the user's
`config.toml`; `llmdrills paths` shows where each came from.
"""


def reference() -> str:
    """The whole page."""
    app, runner = build_app(), CliRunner()
    parts = [HEAD]
    for name in COMMANDS:
        for words in [(name,), *((name, sub) for sub in SUBCOMMANDS.get(name, ()))]:
            ran = runner.invoke(app, [*words, "--help"], prog_name="llmdrills", env={"COLUMNS": "100"}, color=False)
            assert ran.exit_code == 0, ran.output
            lines = "\n".join(line.rstrip() for line in ran.output.strip().splitlines())
            parts.append(f"## llmdrills {' '.join(words)}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (HERE / "commands.md").write_text(reference(), "utf-8")
