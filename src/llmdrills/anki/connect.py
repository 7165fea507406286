"""Talk to a running Anki through the add-on AnkiConnect: JSON over HTTP on this machine."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from llmdrills.errors import UsageError
from llmdrills.language import Bilingual

__all__ = ["ADDON", "AnkiConnect", "anki_folder"]

ADDON = "2055492159"
"""AnkiConnect's number on ankiweb.net, which is also the name of its folder."""
_VERSION = 6  # of its protocol
_SECONDS = 600.0  # an import of thousands of notes takes a while, and Anki answers nothing meanwhile

_CLOSED = Bilingual("nothing answers at {url}: Anki is not running", "{url} 没有应答：Anki 没有运行")
_START = Bilingual(
    "start Anki and open your profile, then run this again; or give a collection or an exported file",
    "请启动 Anki 并打开个人资料后重试；也可以改为给出集合文件或导出的文件",
)
_NO_ADDON = Bilingual(
    "nothing answers at {url}: Anki is not running, or its add-on AnkiConnect is missing",
    "{url} 没有应答：Anki 没有运行，或没有安装 AnkiConnect 插件",
)
_INSTALL = Bilingual(
    f"in Anki: Tools → Add-ons → Get Add-ons, code {ADDON}, then restart Anki",
    f"在 Anki 中：工具 → 插件 → 获取插件，输入代码 {ADDON}，然后重启 Anki",
)
_SILENT = Bilingual("Anki does not answer at {url}", "Anki 在 {url} 没有应答")
_DIALOG = Bilingual(
    "close open dialogs in Anki and let a sync end, then try again", "请关闭 Anki 中打开的对话框，等同步结束后重试"
)
_OTHER = Bilingual("what answers at {url} is not AnkiConnect", "在 {url} 应答的不是 AnkiConnect")
_ADDRESS = Bilingual(
    "set its address: `llmdrills config set anki_url http://127.0.0.1:8765`",
    "请设置地址：`llmdrills config set anki_url http://127.0.0.1:8765`",
)
_BAD_URL = Bilingual("anki_url is {url!r}", "anki_url 的值是 {url!r}")
_NO_KEY = Bilingual("AnkiConnect asks for its key", "AnkiConnect 需要密钥")
_WRONG_KEY = Bilingual("AnkiConnect does not accept the key in anki_key", "AnkiConnect 不接受 anki_key 中的密钥")
_KEY = Bilingual(
    "it is `apiKey` in Tools → Add-ons → AnkiConnect → Config: `llmdrills config set anki_key KEY`, or set "
    "LLMDRILLS_ANKI_KEY; an empty one means none",
    "密钥是“工具 → 插件 → AnkiConnect → 配置”中的 `apiKey`：运行 `llmdrills config set anki_key KEY`，"
    "或设置 LLMDRILLS_ANKI_KEY；留空表示没有密钥",
)
_REFUSED = Bilingual("AnkiConnect refuses requests from here", "AnkiConnect 拒绝了本机的请求")
_ALLOW = Bilingual(
    "take this address out of `ignoreOriginList` in its configuration", "请检查其配置中的 `ignoreOriginList`"
)
_NO_PROFILE = Bilingual("Anki is running, but no profile is open", "Anki 正在运行，但没有打开个人资料")
_OPEN = Bilingual("open your profile in Anki, then run this again", "请在 Anki 中打开个人资料后重试")
_FAILED = Bilingual("Anki could not do it ({action}): {why}", "Anki 无法完成操作（{action}）：{why}")
_UPDATE = Bilingual("update Anki and AnkiConnect, then run this again", "请更新 Anki 和 AnkiConnect 后重试")


class AnkiConnect(NamedTuple):
    """One AnkiConnect: its address, and its key where it has one."""

    url: str
    key: str = ""

    def ask(self, action: str, **parameters: Any) -> Any:
        """What Anki answers. Raises UsageError, which says whether Anki, the add-on, the key or the profile is it."""
        question = {
            "action": action,
            "version": _VERSION,
            "params": parameters,
            **({"key": self.key} if self.key else {}),
        }
        said = self._post(json.dumps(question).encode())
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not {"result", "error"} <= set(answer):
            raise UsageError(_OTHER.format(url=self.url), _ADDRESS)
        if answer["error"] is not None:
            raise self._fault(action, str(answer["error"]))
        return answer["result"]

    def _post(self, body: bytes) -> bytes:
        try:
            request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310  # below
            if request.type not in {"http", "https"} or not request.host:
                raise ValueError(request.type)
        except ValueError:
            raise UsageError(_BAD_URL.format(url=self.url), _ADDRESS) from None
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # it is on this machine, not in the web
        try:
            with direct.open(request, timeout=_SECONDS) as answer:
                found: bytes = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == http.client.FORBIDDEN:
                raise UsageError(_REFUSED, _ALLOW) from error
            raise UsageError(_OTHER.format(url=self.url), _ADDRESS) from error
        except (TimeoutError, socket.gaierror, urllib.error.URLError, OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from error
        return found

    def _unreachable(self, error: Exception) -> UsageError:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            return UsageError(_SILENT.format(url=self.url), _DIALOG)
        if isinstance(reason, socket.gaierror | ValueError):
            return UsageError(_BAD_URL.format(url=self.url), _ADDRESS)
        if isinstance(reason, http.client.HTTPException):
            return UsageError(_OTHER.format(url=self.url), _ADDRESS)
        folder = anki_folder()
        if folder.is_dir() and not (folder / "addons21" / ADDON).is_dir():
            return UsageError(_NO_ADDON.format(url=self.url), _INSTALL)
        return UsageError(_CLOSED.format(url=self.url), _START)

    def _fault(self, action: str, why: str) -> UsageError:
        if "api key" in why:
            return UsageError(_WRONG_KEY if self.key else _NO_KEY, _KEY)
        if "collection is not available" in why:
            return UsageError(_NO_PROFILE, _OPEN)
        return UsageError(_FAILED.format(action=action, why=why), _UPDATE)


def anki_folder() -> Path:
    """Where Anki keeps its profiles and add-ons on this system, unless it was told another place."""
    if base := os.environ.get("ANKI_BASE"):
        return Path(base)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Anki2"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "Anki2"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "Anki2"
