"""Content packs on the page: one that nobody has allowed is said and not run, one that is allowed is offered."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.helpers.web_client import WebClient, WebProcess

PACK, KATA = "tiny", "tiny-softmax"


def offered(client: WebClient) -> set[str]:
    found: Any = client.get("/api/katas").json
    return {kata["kata"] for topic in found["topics"] for kata in topic["katas"]}


def test_should_say_a_new_pack_and_offer_it_once_it_is_allowed(workspace: Path, home: Path, pack_site: Path):
    with WebProcess(workspace, home) as served:
        client = WebClient(served.address)
        client.enter()
        (said,) = client.get("/api/plan").json["packs"]
        assert "`tiny` (tiny-pack 1.0) is left out" in said
        assert "`llmdrills packs allow tiny`" in said.replace("python -m ", "")
        assert KATA not in offered(client)
        assert client.post("open", {"kata": KATA}).status == 409
        assert client.get(f"/api/cards?kata={KATA}").status == 409
        client.ask("language", language="zh")
        assert "未被使用" in client.get("/api/katas").json["packs"][0]
        client.ask("language", language="en")

        words = [sys.executable, "-m", "llmdrills", "packs", "allow", PACK]
        allowed = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert allowed.returncode == 0, allowed.stderr
        assert client.get("/api/plan").json["packs"] == []  # and nothing was started anew
        assert KATA in offered(client)
        sheet = client.ask("open", kata=KATA)
        assert (sheet["kata"], (home / "practice" / f"{KATA}.py").exists()) == (KATA, True)
        assert client.get(f"/api/cards?kata={KATA}").json["kata"] == KATA
        client.ask("skip", session=sheet["session"])
        begun = client.ask("exam/begin", katas=9, questions=0, minutes=60)
        assert KATA in (home / next(home.glob("*/exam.json"))).read_text("utf-8"), begun

        (pack_site / "tiny_pack" / "helper.py").write_text("X = 2\n")
        (said,) = client.get("/api/plan").json["packs"]
        assert "changed since you allowed 1.0" in said
        assert KATA not in offered(client)
