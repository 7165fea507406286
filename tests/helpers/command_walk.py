"""Every command and sub-command of the program: its help, and usage errors that each one has, in a process of its own.

Run as a script, it reads command lines as JSON, runs each as `main` would in one process (a hundred starts of Python
would take a minute), and prints how each ended; without command lines, it prints the commands with their parameters.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["commands", "ended", "usage_errors"]

Words = tuple[str, ...]


def commands(language: str = "zh") -> list[dict[str, Any]]:
    """Every command: its words, its help, and its parameters with theirs."""
    found: list[dict[str, Any]] = _run({"language": language, "lines": None}, Path.cwd(), {})
    return found


def ended(lines: list[Words], cwd: Path, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """How each command line ended: code, out, err. They share a process, and so the language of the first."""
    found: list[dict[str, Any]] = _run({"lines": lines}, cwd, env or {})
    assert len(found) == len(lines)
    return found


def usage_errors(command: dict[str, Any]) -> list[Words]:
    """Command lines that this command refuses, whatever it does."""
    words = (*command["words"],)
    given = ["x" for one in command["parameters"] if one["kind"] == "argument" and one["required"]]
    lines: list[Words] = [(*words, "--nope")]
    for one in command["parameters"]:
        name = one["name"]
        if one["kind"] == "argument":
            lines += [words] if one["required"] else []
        elif one["flag"]:
            lines += [(*words, f"{name}=1")] if name not in {"--help", "--version"} else []
        else:
            lines.append((*words, name))
            lines += [(*words, *given, name, bad) for bad in one["bad"]]
    if not any(one.get("many") for one in command["parameters"]) and not command["group"]:
        lines.append((*words, *["x"] * 5))
    return lines


def _run(asked: dict[str, Any], cwd: Path, env: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, str(Path(__file__))],
        input=json.dumps(asked),
        cwd=cwd,
        env={**os.environ, "COLUMNS": "100", **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return json.loads(done.stdout)


def _walk(command: Any, words: Words = ()) -> list[dict[str, Any]]:
    group = hasattr(command, "commands")
    parameters = [
        {
            "name": max(one.opts, key=len),
            "kind": one.param_type_name,
            "help": getattr(one, "help", None),
            "required": one.required,
            "many": one.nargs == -1,
            "flag": bool(getattr(one, "is_flag", False)),
            "bad": _bad(one),
        }
        for one in command.params
    ]
    found = [{"words": words, "group": group, "help": command.help, "parameters": parameters}]
    for name, inner in command.commands.items() if group else ():
        found += _walk(inner, (*words, name))
    return found


def _bad(parameter: Any) -> list[str]:
    """Values that the parameter refuses."""
    by_name = {"lang": ["fr"], "device": ["tpu"], "topic": ["sport"], "workspace": ["/nowhere/at/all"]}
    if parameter.name in by_name:
        return by_name[parameter.name]
    if parameter.type_descriptor.annotation is not int:
        return []
    low, high = parameter.min, parameter.max
    return ["many", *([str(low - 1)] if low is not None else []), *([str(high + 1)] if high is not None else [])]


def _main() -> None:
    asked = json.loads(sys.stdin.read())
    sys.stdin.close()
    sys.stdin = io.StringIO()
    if asked["lines"] is None:
        from typer.main import get_command

        from llmdrills.cli import build_app
        from llmdrills.cli.console import speak

        speak(asked["language"])
        print(json.dumps(_walk(get_command(build_app()))))
        return
    print(json.dumps([_end(tuple(line)) for line in asked["lines"]]))


def _end(line: Words) -> dict[str, Any]:
    from llmdrills.cli import main

    sys.argv = ["llmdrills", *line]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return {"line": line, "code": code, "out": out.getvalue(), "err": err.getvalue()}


if __name__ == "__main__":
    _main()
