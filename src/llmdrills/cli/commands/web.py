"""`llmdrills web`."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from llmdrills.cli.console import told
from llmdrills.cli.manual import manual
from llmdrills.cli.options import DeviceOption, LangOption, TopicOption, WorkspaceOption, check_topic, place
from llmdrills.cli.record import open_history
from llmdrills.errors import UsageError
from llmdrills.language import Bilingual
from llmdrills.messages import in_both

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["HELP", "command"]

HELP = manual(
    Bilingual("Practise in the browser: the day, an exam, the figures.", "在浏览器中练习：今天的计划、考试和统计。"),
    "llmdrills web",
    "llmdrills web --no-open --port 8080",
    more=Bilingual(
        "Only this machine can reach it, and the printed address lets one browser in, once. It may run beside `today`: "
        "the history is the same. Ctrl-C ends it; nothing is lost.",
        "只有本机可以访问；打印的地址只能使用一次，只允许一个浏览器进入。可与 `today` 同时运行，共用同一份历史记录。"
        "按 Ctrl-C 结束，进度不会丢失。",
    ),
)

_TAKEN = Bilingual("cannot use port {port}: {why}", "无法使用端口 {port}：{why}")
_OTHER_PORT = Bilingual("choose another --port, or none", "请换一个 --port，或不指定端口")
_TERMINATED = 128 + signal.SIGTERM


def command(
    port: Annotated[
        int,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            help=told(
                Bilingual("Port on 127.0.0.1; 0 takes a free one.", "127.0.0.1 上的端口；0 表示自动选择空闲端口。")
            ),
        ),
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help=told(Bilingual("Open it in the browser.", "在浏览器中打开。")))
    ] = True,
    topic: TopicOption = None,
    device: DeviceOption = None,
    lang: LangOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Run `llmdrills web`."""
    from llmdrills.cli.packs import allowed_packs
    from llmdrills.web.api import Api
    from llmdrills.web.server import WebServer

    here = place(workspace, lang=lang, device=device)
    check_topic(here, topic)
    allowed_packs(here)  # asks about a new one here, as every command does: the page asks nothing of the kind
    with open_history(here, check=True) as history, _ends_in_order():
        api = Api(here, history, topic=topic)
        try:
            server = WebServer(api, port)
        except OSError as error:
            why = in_both(error.strerror)
            raise UsageError(_TAKEN.format(port=port, why=why), _OTHER_PORT) from error
        server.start()
        try:
            print(server.address, flush=True)
            if browser:
                typer.launch(server.address)
            _wait()
        finally:
            server.close()


def _wait() -> None:
    """Until Ctrl-C. In pieces: on Windows a wait without an end cannot be interrupted."""
    ended = threading.Event()
    while not ended.wait(3600):
        pass


@contextlib.contextmanager
def _ends_in_order() -> Iterator[None]:
    """End the grader and break off an exam also where the system asks this process to end."""

    def terminated(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
