"""Tasks on the workers of a Dask cluster: one that runs somewhere, or one made here for as long as the run lasts."""

from __future__ import annotations

import contextlib
import functools
import importlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from llmdrills.classroom.task import Answer, close_graders, do, gone
from llmdrills.errors import GraderError, UsageError
from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from llmdrills.classroom.task import Task

__all__ = ["LOCAL", "on_a_cluster"]

LOCAL = "local"
"""The address that asks for a cluster of this machine, made for the run."""
WAITING = 64
"""Tasks that a cluster is given beforehand: enough for every worker to have one at hand."""
CONNECT_SECONDS = 10
LOOK_SECONDS = 2.0

_NO_DASK = Bilingual("--scheduler needs dask, which is not installed", "--scheduler 需要 dask，但没有安装")
_INSTALL = Bilingual(
    "run `pip install 'llmdrills[dask]'` here and on every machine",
    "请在本机和每台机器上运行 `pip install 'llmdrills[dask]'`",
)
_NO_SCHEDULER = Bilingual("there is no Dask scheduler at {address}", "{address} 处没有 Dask 调度器")
_START_ONE = Bilingual(
    "start `dask scheduler` and give its address (tcp://HOST:8786), or write --scheduler local",
    "请启动 `dask scheduler` 并给出它的地址（tcp://HOST:8786），或写 --scheduler local",
)
_NO_WORKER = Bilingual("the Dask cluster has no worker", "Dask 集群里没有 worker")
_START_WORKERS = Bilingual("run `dask worker {address}` on each machine", "请在每台机器上运行 `dask worker {address}`")
_LOST = Bilingual("the Dask scheduler at {address} is gone", "与 Dask 调度器 {address} 的连接断开了")
_AGAIN = Bilingual(
    "what was graded is kept: start it again and repeat the command", "已评分的都保留着：请重新启动它，再运行同一命令"
)
_NOT_INSTALLED = Bilingual("a Dask worker cannot do this: {why}", "有 Dask worker 无法完成任务：{why}")


def on_a_cluster(
    tasks: Iterator[Task],
    done: Callable[[Task, Answer], None],
    *,
    address: str,
    jobs: int,
    told: Callable[[Bilingual], None],
) -> None:
    """Do every task on the cluster at `address`, or with LOCAL on one of `jobs` processes here.

    `done` is called in this thread, as answers come; `told` is told once where no worker is left, and the run waits.
    A task whose worker is lost is given to another. Raises UsageError where there is no cluster, and GraderError.
    """
    with contextlib.ExitStack() as stack:
        client = _connected(address, jobs, stack)
        stack.callback(_tidy, client)
        # A worker that ends while it starts, or takes long to start again, is given up by Dask.
        heal = functools.partial(client.cluster.scale, jobs) if address == LOCAL else None
        _Run(client, address, told, heal).all(tasks, done)


def _connected(address: str, jobs: int, stack: contextlib.ExitStack) -> Any:
    dask, distributed = _libraries()
    stack.enter_context(dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"}))
    try:
        if address == LOCAL:
            stack.enter_context(_without_main())
            # One thread each, because a process of its own does more. There is no page for a browser; what Dask serves
            # without one would be at port 8787 for every machine, and at any port of this one with an address.
            options = {
                "dashboard_address": None,
                "scheduler_kwargs": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                "silence_logs": 50,
                "preload": ["llmdrills.classroom.cluster_worker"],
            }
            made = distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, **options)
            return stack.enter_context(distributed.Client(stack.enter_context(made)))
        client = stack.enter_context(distributed.Client(address, timeout=CONNECT_SECONDS))
    except (OSError, ValueError) as error:
        raise UsageError(_NO_SCHEDULER.format(address=address), _START_ONE) from error
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise UsageError(_NO_WORKER, _START_WORKERS.format(address=address)) from error
    return client


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the script that started this process: each new worker would run it, and with it this command, once more."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def _libraries() -> tuple[Any, Any]:
    """`dask` and `distributed`. Raises UsageError where they are not installed."""
    try:
        return importlib.import_module("dask"), importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise UsageError(_NO_DASK, _INSTALL) from error


def _tidy(client: Any) -> None:
    """End the graders of workers that go on after this run."""
    with contextlib.suppress(Exception):  # the cluster may be gone, and then they are too
        client.run(close_graders, on_error="ignore")


class _Run:
    """The tasks that are on their way."""

    def __init__(
        self, client: Any, address: str, told: Callable[[Bilingual], None], heal: Callable[[], object] | None
    ) -> None:
        self._client = client
        self._address = address
        self._told = told
        self._heal = heal  # starts the workers that are missing
        self._healed = time.monotonic()
        self._waiting: dict[Any, Task] = {}

    def all(self, tasks: Iterator[Task], done: Callable[[Task, Answer], None]) -> None:
        """Keep the cluster busy until every task is answered."""
        _, distributed = _libraries()
        self._give(itertools.islice(tasks, WAITING))
        alone = False
        while self._waiting:
            self._keep_workers()
            try:
                ready = distributed.wait(list(self._waiting), timeout=LOOK_SECONDS, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                if self._client.status != "running":
                    raise GraderError(_LOST.format(address=self._address), _AGAIN) from None
                nobody = not self._client.nthreads()
                if nobody and not alone:
                    self._told(_NO_WORKER)
                alone = nobody
                continue
            for future in ready:
                answer = self._answer(future)
                done(self._waiting.pop(future), answer)
            self._give(itertools.islice(tasks, WAITING - len(self._waiting)))

    def _keep_workers(self) -> None:
        if self._heal is not None and time.monotonic() - self._healed >= LOOK_SECONDS:
            self._heal()
            self._healed = time.monotonic()

    def _give(self, tasks: Iterator[Task]) -> None:
        for task in tasks:
            self._waiting[self._client.submit(do, task, pure=False)] = task

    def _answer(self, future: Any) -> Answer:
        dask, distributed = _libraries()
        if future.cancelled():
            raise GraderError(_LOST.format(address=self._address), _AGAIN)
        error = future.exception()
        if error is None:
            answer: Answer = future.result()
            return answer
        if isinstance(error, distributed.KilledWorker):
            return gone(dask.config.get("distributed.scheduler.allowed-failures") + 1)
        raise GraderError(_NOT_INSTALLED.format(why=f"{type(error).__name__}: {error}"), _INSTALL) from error
