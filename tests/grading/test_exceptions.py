"""An exception is what its class is, not what the class is called."""

from __future__ import annotations

import pytest
import torch

from llmdrills.grading.kernels.calling import Caller
from llmdrills.grading.protocol.answer import Question, outcome_of

QUESTION = Question("one", (), {}, 0)


def raised(error: object):
    def kernel():
        raise error

    return Caller().ask(kernel, QUESTION).value


def impostor(name: str, base: type[BaseException] = BaseException, **attributes: object) -> BaseException:
    return type(name, (base,), {"__module__": "solution", **attributes})("out of memory")


@pytest.mark.parametrize("name", ["ValueError", "NotImplementedError", "MemoryError", "ForbiddenError"])
def test_should_qualify_a_class_that_only_bears_the_name(name):
    value = raised(impostor(name))
    assert (value.type, value.classes) == (f"solution.{name}", (f"solution.{name}", "BaseException"))
    assert outcome_of(value) == "crashed"


def test_should_qualify_a_class_without_a_module_too():
    assert raised(impostor("ValueError", __module__="builtins")).type == "solution.ValueError"


def test_should_not_be_fooled_by_a_class_that_equals_everything():
    class Meta(type):
        def __eq__(cls, other: object) -> bool:
            return True

        def __hash__(cls) -> int:
            return hash(ValueError)

    value = raised(Meta("ValueError", (BaseException,), {"__module__": "solution"})())
    assert "ValueError" not in value.classes


def test_should_survive_a_class_whose_module_raises():
    class Trap:
        def __get__(self, *_: object) -> str:
            raise SystemExit

    assert raised(impostor("Odd", __module__=Trap())).type == "solution.Odd"


def test_should_know_a_subclass_of_the_real_exception():
    value = raised(impostor("BadShape", ValueError))
    assert value.classes[:2] == ("solution.BadShape", "ValueError")


def test_should_name_torchs_own_exceptions():
    assert raised(torch.OutOfMemoryError("x")).classes[:2] == ("OutOfMemoryError", "RuntimeError")
    assert outcome_of(raised(torch.OutOfMemoryError("x"))) == "memory"
    assert raised(IndexError("x")).classes[:2] == ("IndexError", "LookupError")
