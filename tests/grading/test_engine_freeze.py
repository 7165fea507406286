"""Live tensors to values and back."""

from __future__ import annotations

import pytest
import torch

from llmdrills.grading.protocol.tensors import Freezer, thaw
from llmdrills.grading.protocol.wire import ITEM_SIZES, DtypeValue, Opaque, Raised, TensorValue


def freeze(thing: object) -> object:
    return Freezer().freeze(thing)


LAYOUTS = {
    "plain": torch.arange(24.0).reshape(2, 3, 4),
    "transposed": torch.arange(24.0).reshape(2, 3, 4).transpose(0, 2),
    "sliced": torch.arange(24.0).reshape(2, 12)[:, ::3],
    "offset": torch.arange(24.0)[5:9],
    "expanded": torch.arange(3.0).view(3, 1).expand(3, 5),
    "scalar": torch.tensor(3.0),
    "empty": torch.empty(0, 4),
    "size-one": torch.arange(4.0).view(4, 1).transpose(0, 1),
    "unfolded": torch.arange(9.0).unfold(0, 3, 1),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_should_bring_a_tensor_back_with_its_numbers(name):
    tensor = LAYOUTS[name]
    assert torch.equal(thaw(freeze(tensor)), tensor)


@pytest.mark.parametrize("name", sorted(set(LAYOUTS) - {"unfolded"}))
def test_should_bring_a_tensor_back_as_it_lay_in_memory(name):
    tensor = LAYOUTS[name]
    assert thaw(freeze(tensor)).stride() == tensor.stride()


@pytest.mark.parametrize("name", [name for name in ITEM_SIZES if hasattr(torch, name)])
def test_should_carry_every_dtype(name):
    dtype = getattr(torch, name)
    tensor = torch.tensor([0, 1, 1, 0, 1]).to(dtype)
    back = thaw(freeze(tensor))
    assert back.dtype == dtype
    assert torch.equal(back.to(torch.complex128), tensor.to(torch.complex128))


def test_should_carry_requires_grad_and_make_the_copy_a_leaf():
    tensor = torch.ones(2, requires_grad=True)
    back = thaw(freeze(tensor * 1))
    assert back.requires_grad
    assert back.is_leaf


def test_should_keep_the_bits_of_nan_and_signed_zero():
    tensor = torch.tensor([float("nan"), -0.0, float("-inf")])
    assert freeze(tensor) == freeze(thaw(freeze(tensor)))


def test_should_resolve_lazy_conjugate_and_negative():
    tensor = torch.tensor([1 + 2j])
    assert freeze(tensor.conj()) == freeze(torch.tensor([1 - 2j]))
    assert thaw(freeze(tensor.conj().imag)).item() == -2.0


@pytest.mark.parametrize(
    ("tensor", "missing"),
    [
        (torch.empty(3, device="meta"), "meta"),
        (torch.eye(3).to_sparse(), "layout"),
        (torch.zeros(1).expand(1 << 40), "too large"),
    ],
)
def test_should_say_why_a_tensor_has_no_numbers(tensor, missing):
    frozen = freeze(tensor)
    assert isinstance(frozen, TensorValue)
    assert (frozen.missing, frozen.data) == (missing, b"")


def test_should_tell_a_subclass_apart_and_read_a_parameter():
    class Mine(torch.Tensor):
        pass

    assert freeze(torch.ones(2).as_subclass(Mine)).missing == "subclass"
    parameter = freeze(torch.nn.Parameter(torch.ones(2)))
    assert parameter.subclass == "torch.nn.parameter.Parameter"
    assert len(parameter.data) == 8


def test_should_read_tuples_of_any_class_as_tuples_and_name_other_objects():
    values, indices = freeze(torch.topk(torch.tensor([1.0, 3.0]), 1))
    assert thaw(values).item() == 3.0
    assert thaw(indices).item() == 1
    assert freeze(torch.ones(1).numpy()) == Opaque("numpy.ndarray")
    assert freeze({1, 2}) == Opaque("set")
    assert freeze({torch.ones(1): 1}) == Opaque("dict with keys that are neither text nor numbers")
    assert freeze(torch.bfloat16) == DtypeValue("bfloat16")


def test_should_run_no_method_of_a_hostile_object():
    class Hostile(list):
        def __iter__(self):
            raise AssertionError("ran")

        __len__ = __getitem__ = __eq__ = __bool__ = __iter__  # type: ignore[assignment]  # hostile on purpose

        @property
        def __class__(self):
            raise AssertionError("ran")

        __hash__ = None  # type: ignore[assignment]  # hostile on purpose

    assert isinstance(freeze(Hostile()), Opaque)


@pytest.mark.parametrize(
    "value", [Opaque("set"), Raised("E", (), ""), TensorValue("float32", (1,), b"", missing="meta")]
)
def test_should_refuse_what_has_no_live_form(value):
    with pytest.raises(ValueError, match=r"live form|missing"):
        thaw(value)


def test_should_not_let_a_function_mode_see_the_reading():
    seen = []

    class Spy(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    tensor = torch.ones(2, 2).t()
    freezer = Freezer()
    with Spy():
        freezer.freeze(tensor)
    assert not seen
