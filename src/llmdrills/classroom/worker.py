"""A local worker: `python -m llmdrills.classroom.worker PARENT`. A line of JSON is a task, or an answer."""

from __future__ import annotations

import json
import os
import signal
import sys

from llmdrills.classroom.task import close_graders, do
from llmdrills.parent import die_with_parent

__all__ = ["main"]


def main() -> None:
    """Do tasks until stdin ends, or the parent does."""
    die_with_parent(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which then ends this process
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints does not get between the answers
    for line in sys.stdin:
        answers.write(json.dumps(do(json.loads(line))) + "\n")
        answers.flush()
    close_graders()


if __name__ == "__main__":
    main()
