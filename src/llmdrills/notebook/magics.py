"""The magics, as IPython asks for them: they read a line, ask the desk, and display what it says."""

from __future__ import annotations

import atexit
import inspect
import os
import shutil
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as MagicError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.display import display

from llmdrills.cli.console import spoken
from llmdrills.content.notebookfile import Binding
from llmdrills.errors import ContentError, LLMDrillsError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both
from llmdrills.notebook.asked import read_asked
from llmdrills.notebook.desk import Desk, Written
from llmdrills.notebook.shown import Part, Shown

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ["load", "unload"]

_INTERRUPTED = Bilingual(
    "interrupted: nothing was recorded; run the cell again to grade it",
    "已中断：没有记入历史；重新运行该单元格即可评分",
)
_GRADE = "%%kata KATA [--variant VARIANT] [--why] [--run]"
_BEGIN = "%kata KATA [--variant VARIANT] [--again]"
_HINT = "%kata_hint [KATA] [N]"
_RATE = "%kata_rate [KATA] [again|hard|good|easy]"
_ANOTHER = Bilingual("another cell", "另一个单元格")
_NAME = "_llmdrills_magics"  # the attribute of the shell in which they are kept


@magics_class
class _KataMagics(Magics):
    """The four magics over one desk."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.desk = Desk()

    @line_cell_magic
    def kata(self, line: str, cell: str | None = None) -> None:
        """`%%kata KATA` grades the cell below it; `%kata KATA` shows what to write and begins.

        `%%kata KATA [--variant VARIANT] [--why] [--run]`: --why shows everything, --run defines what passed in the
        notebook, too. `%kata KATA [--variant VARIANT] [--again]`: --again begins from a blank.
        """
        if cell is None:
            self._tell(lambda: self._begin(line))
        elif self._tell(lambda: self._grade(line, cell)):
            self.shell.run_cell(cell, store_history=False)  # type: ignore[no-untyped-call]  # IPython leaves it untyped

    @line_magic
    def kata_hint(self, line: str) -> None:
        """`%kata_hint [KATA] [N]` shows the next hint, of the kata that was asked for last unless one is named."""
        self._tell(lambda: self._show(self.desk.hint(read_asked("kata_hint", line, _HINT, most=2))))

    @line_magic
    def kata_rate(self, line: str) -> None:
        """`%kata_rate [KATA] [again|hard|good|easy]` records what was earned, or a lower rating."""
        self._tell(lambda: self._show(self.desk.rate(read_asked("kata_rate", line, _RATE, most=2))))

    def _begin(self, line: str) -> bool:
        begun = self.desk.begin(read_asked("kata", line, _BEGIN, switches=("again",)))
        for one in begun.shown:
            _display(one)
        if begun.cell:
            self.shell.set_next_input(begun.cell)
        return False

    def _grade(self, line: str, cell: str) -> bool:
        asked = read_asked("%kata", line, _GRADE, switches=("why", "run"))
        number = len(self.shell.user_ns["In"]) - 1  # `execution_count` is one ahead in some releases of IPython
        written = Written(cell, f"Cell In[{number}]", _Names(self.shell))
        shown = self.desk.grade(asked, written)
        _display(shown)
        return shown.kind == "good" and "run" in asked.switches

    def _show(self, shown: object) -> bool:
        _display(shown)
        return False

    def _tell(self, work: Callable[[], bool]) -> bool:
        """Do it; what is wrong is displayed, not raised: no traceback, and a run of all cells goes on."""
        try:
            return work()
        except LLMDrillsError as error:
            summary = [error.summary(spoken())] if isinstance(error, ContentError) else []
            _display(_problem(error.told(spoken()), *summary))
        except OSError as error:
            _display(_problem(in_both(error)[spoken()]))
        except KeyboardInterrupt:
            raise MagicError(_INTERRUPTED[spoken()]) from None  # told without a traceback; cells that wait are dropped
        return False


def _problem(*texts: str) -> Shown:
    """A message; a command that it names runs in a cell with `!` before it."""
    return Shown("", [Part(text.replace("`llmdrills ", "`!llmdrills ")) for text in texts], spoken(), kind="bad")


def _display(shown: object) -> None:
    display(shown)  # type: ignore[no-untyped-call]  # IPython leaves it untyped


class _Names(Mapping[str, Binding]):
    """What the cells that ran have bound, for a cell that lacks it; looked at only by name."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._known, self._hidden = shell.user_ns, shell.user_ns_hidden

    def __getitem__(self, name: str) -> Binding:
        if name.startswith("_") or name in self._hidden:
            raise KeyError(name)
        return Binding(_ANOTHER, _import_of(name, self._known[name]))

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._known if not name.startswith("_") and name not in self._hidden)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _import_of(name: str, value: Any) -> str:
    """The statement that imports it; empty for what a cell made itself. Nothing of the value is run."""
    if inspect.ismodule(value):
        full = value.__name__
        if full == name:
            return f"import {name}"
        package, _, last = full.rpartition(".")
        return f"from {package} import {last}" if last == name else f"import {full} as {name}"
    if inspect.isfunction(value) or inspect.isclass(value) or inspect.isbuiltin(value):
        module, own = getattr(value, "__module__", None), getattr(value, "__name__", "")
        if isinstance(module, str) and module not in {"__main__", "builtins"} and own == name:
            return f"from {module} import {name}"
    return ""


def load(shell: InteractiveShell) -> None:
    """Register the magics; the grader starts now, so that torch is there when the first cell is graded."""
    unload(shell)
    magics = _KataMagics(shell)
    shell.register_magics(magics)
    setattr(shell, _NAME, magics)
    _let_the_command_be_found()
    atexit.register(magics.desk.close)
    magics._tell(magics.desk.open)


def _let_the_command_be_found() -> None:
    """`!llmdrills` works in a cell although the environment of the kernel is on nobody's PATH: it comes last there."""
    scripts = sysconfig.get_path("scripts")
    if shutil.which("llmdrills") is None and shutil.which("llmdrills", path=scripts):
        os.environ["PATH"] = os.pathsep.join(filter(None, (os.environ.get("PATH"), scripts)))


def unload(shell: InteractiveShell) -> None:
    """End the grader's processes and take the magics away."""
    magics = getattr(shell, _NAME, None)
    if magics is None:
        return
    magics.desk.close()
    atexit.unregister(magics.desk.close)
    known = shell.magics_manager.magics
    for kind, name in (("line", "kata"), ("cell", "kata"), ("line", "kata_hint"), ("line", "kata_rate")):
        known[kind].pop(name, None)
    delattr(shell, _NAME)
