"""Katas of a topic that the workspace brings: the page shows the topic by its title."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers.exam_workspace import KATA
from tests.helpers.web_client import WebClient, WebProcess


def test_should_show_a_kata_of_the_workspaces_own_topic(workspace: Path, tmp_path: Path, home: Path):
    own = tmp_path / "own"
    shutil.copytree(workspace, own)
    with (own / "workspace.toml").open("a", encoding="utf-8") as file:
        file.write('namespace = "own"\n[topics]\nmy-topic = {en = "My topic", zh = "我的主题"}\n')
    kata = own / "drills" / KATA / "kata.yaml"
    kata.write_text(kata.read_text("utf-8").replace("topic: transformer", "topic: my-topic"), "utf-8")
    with WebProcess(own, home) as served:
        client = WebClient(served.address)
        client.enter()
        assert [topic["title"] for topic in client.get("/api/katas").json["topics"]] == ["My topic"]
        assert [item["topic"] for item in client.get("/api/plan").json["items"]] == ["My topic"]
        assert "My topic" in client.ask("open", kata=KATA)["html"]
