"""What is bundled for the page is what its build script makes, with its licences, and nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

SUMS = {
    "editor.js": "5e6389c445be0ebb8d5f826299edde91c91cfcb2572dcc227e6c480956e22d4f",
    "LICENSE": "9111521bb65a5e6125665737950311780c0d4e9aafabc11831a0cc8cb55abbae",
}


@pytest.fixture(scope="module")
def vendored(root: Path) -> Path:
    return root / "src" / "llmdrills" / "_vendor" / "codemirror"


def test_should_be_byte_for_byte_what_was_bundled(vendored: Path):
    """`npm ci --ignore-scripts && node build.mjs --check` in tools/codemirror says the same from the packages."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in vendored.iterdir()}
    assert found == SUMS


def test_should_name_the_licence_of_every_package_in_the_version_that_is_locked(vendored: Path, root: Path):
    locked = json.loads((root / "tools/codemirror/package-lock.json").read_text())["packages"]
    versions = {name.removeprefix("node_modules/"): about["version"] for name, about in locked.items() if name}
    heads = re.findall(r"^(\S+) (\d+\.\d+\.\d+) \(MIT\)$", (vendored / "LICENSE").read_text(), re.MULTILINE)
    assert dict(heads).items() <= versions.items()
    assert {"@codemirror/view", "@codemirror/lang-python", "@lezer/python", "style-mod"} <= dict(heads).keys()
    assert (vendored / "LICENSE").read_text().count("Permission is hereby granted") == len(heads)


def test_should_lock_packages_by_their_hash_and_by_no_address(root: Path):
    text = (root / "tools/codemirror/package-lock.json").read_text()
    packages = {name: about for name, about in json.loads(text)["packages"].items() if name}
    assert all(about["integrity"].startswith("sha512-") for about in packages.values())
    assert "resolved" not in text


def test_should_ask_no_other_server_for_anything(vendored: Path, root: Path):
    assets = root / "src/llmdrills/web/assets"
    for path in [vendored / "editor.js", *assets.iterdir()]:
        assert set(re.findall(r"https?://[\w./-]+", path.read_text("utf-8"))) <= {"http://www.w3.org/2000/svg"}
