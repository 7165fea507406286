"""Who is answered: the one browser that came by the address that was printed, and nobody else on this machine.

A page on the loopback is within reach of every website that the learner visits, by their browser, and of every other
user of the machine. So a request must name this server as its host (a website that points its own name at 127.0.0.1
cannot), must not come from another site, must carry the cookie that only `/enter` gives, and, where it changes
something, must be JSON from this very origin, which no form and no other port can send.

`/enter` takes its token once. On Linux it also looks whose process asks, because the address of a browser that is being
started stands in the list of processes, which other users can read.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import sys
import threading
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Access", "Refusal", "owner_of"]

_HOST = Bilingual("this server answers to {hosts} only", "此服务器只响应 {hosts}")
_CROSS = Bilingual("another site may not ask this server", "其他网站不能访问此服务器")
_ORIGIN = Bilingual("only the page of this server may change something", "只有此服务器自己的页面才能修改数据")
_JSON = Bilingual("send JSON (Content-Type: application/json)", "请发送 JSON（Content-Type: application/json）")
_COOKIE = Bilingual(
    "this browser has not entered: open the address that `llmdrills web` printed, or run `llmdrills web` again",
    "此浏览器尚未进入：请打开 `llmdrills web` 打印的地址，或重新运行 `llmdrills web`",
)
_USED = Bilingual(
    "this link was used already, and works once: run `llmdrills web` again for a new one",
    "此链接已经用过，只能使用一次：请重新运行 `llmdrills web` 获取新链接",
)
_STRANGER = Bilingual(
    "another user of this machine may not enter: open the address as the user who ran `llmdrills web`",
    "本机的其他用户不能进入：请以运行 `llmdrills web` 的用户打开该地址",
)


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: HTTPStatus
    why: Bilingual


class Access:
    """The secrets of one server, and what they are asked for. `port`: the one that it listens on."""

    def __init__(self, port: int) -> None:
        names = [f"127.0.0.1:{port}", f"localhost:{port}"]
        if port == 80:  # a browser leaves the port out then
            names += ["127.0.0.1", "localhost"]
        self.hosts = frozenset(names)
        self.origins = frozenset(f"http://{name}" for name in names)
        self.cookie = f"llmdrills-{port}"  # cookies know no ports: two servers would overwrite each other's
        self._session = secrets.token_urlsafe(32)
        self._token: str | None = secrets.token_urlsafe(32)
        self._lock = threading.Lock()

    @property
    def token(self) -> str:
        """What the printed address carries; empty once it was used."""
        return self._token or ""

    @property
    def set_cookie(self) -> str:
        """The header that lets a browser in, for as long as it runs."""
        return f"{self.cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def enter(self, token: str, user: int | None) -> Refusal | None:
        """Spend the token; None where it was right. `user`: whose process asks, where the system tells."""
        if user is not None and user not in {0, _own_user()}:
            return Refusal(HTTPStatus.FORBIDDEN, _STRANGER)
        with self._lock:  # two requests at the same time: one of them enters
            if self._token is None or not _same(token, self._token):
                return Refusal(HTTPStatus.UNAUTHORIZED, _USED)
            self._token = None
            return None

    def has_entered(self, headers: Mapping[str, str]) -> bool:
        """Whether the browser has the cookie."""
        return self._has_cookie(headers.get("Cookie") or "")

    def wrong_host(self, headers: Mapping[str, str]) -> Refusal | None:
        """Asked of every request, also of those that have no cookie yet."""
        if headers.get("Host") not in self.hosts:
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, _HOST.format(hosts=", ".join(sorted(self.hosts))))
        return None

    def refusal(self, headers: Mapping[str, str], *, changes: bool) -> Refusal | None:
        """Why this request is refused; None: it is answered. `changes`: it is a POST."""
        wrong = self.wrong_host(headers)
        if wrong is not None:
            return wrong
        if headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
            return Refusal(HTTPStatus.FORBIDDEN, _CROSS)
        origin = headers.get("Origin")
        if origin not in self.origins and (changes or origin is not None):
            return Refusal(HTTPStatus.FORBIDDEN, _ORIGIN)
        if changes and headers.get("Content-Type") != "application/json":
            return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _JSON)
        if not self.has_entered(headers):
            return Refusal(HTTPStatus.UNAUTHORIZED, _COOKIE)
        return None

    def _has_cookie(self, header: str) -> bool:
        try:
            found = SimpleCookie(header).get(self.cookie)
        except CookieError:
            return False
        return found is not None and _same(found.value, self._session)


def _same(one: str, other: str) -> bool:
    """Compared in a time that tells nothing of where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())


def _own_user() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None


def owner_of(connection: socket.socket) -> int | None:
    """The user whose process is at the other end of a connection on the loopback; None where it cannot be told.

    Linux lists both ends of it, each with its user.
    """
    try:
        (host, port), (own_host, own_port) = connection.getpeername()[:2], connection.getsockname()[:2]
        wanted = (_as_listed(host, port), _as_listed(own_host, own_port))
        lines = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    except (OSError, ValueError):  # no Linux, or the other end is gone
        return None
    for line in lines:
        parts = line.split()
        if (parts[1], parts[2]) == wanted:
            return int(parts[7])
    return None


def _as_listed(host: str, port: int) -> str:
    """An address as Linux lists it: the bytes of the host as a number of this machine, in hexadecimal."""
    number = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    return f"{number:08X}:{port:04X}"
