"""The look at a whole file misses nothing that the look at each of its values would find."""

from __future__ import annotations

import string

import pytest
import yaml

from llmdrills.content.remarks import is_doubtful, remarks_on

AFTER = ("", "abc", "heta$", "u0041", "x41", "\\\\theta$", " #")
QUOTED = [
    f'"$a {slashes}{letter}{after}"'
    for slashes in ("\\", "\\" * 2, "\\" * 3)
    for letter in string.ascii_letters
    for after in AFTER
]
PLAIN = ["a b", "a #b", "a # b", "a\t# b", "a#b", "# a\nb", "a\n  # b", "'a # b'", "|\n  a # b\n"]


def has_remarks(text: str) -> bool:
    try:
        root = yaml.compose(text)
    except yaml.YAMLError:  # an escape that YAML does not know is told as a fault of its own
        return False
    assert isinstance(root, yaml.MappingNode)
    value = root.value[0][1]
    return value.style not in ("'", "|", ">") and bool(remarks_on(value, text, "key"))


def test_should_doubt_every_file_in_which_a_value_has_a_remark() -> None:
    remarked = [text for text in (f"key: {written}\n" for written in (*QUOTED, *PLAIN)) if has_remarks(text)]
    assert len(remarked) > 50
    assert [text for text in remarked if not is_doubtful(text)] == []


@pytest.mark.parametrize("text", ['key: "a\\nb"\n', 'key: "$\\\\theta$"\n', "# a comment\nkey: a\n", "key: a#b\n"])
def test_should_not_doubt_a_file_that_is_plainly_right(text: str) -> None:
    assert not is_doubtful(text)
