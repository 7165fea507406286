"""What one call of a torch operator costs in floating-point operations, and which operators nobody can price.

A product has a formula. Elementwise work costs where it may be a product in disguise: two operations for each element
when two tensors are multiplied or divided, or when two tensors broadcast to more elements than either holds. Views,
copies, indexing, reductions, sorting and random numbers cost nothing. Whatever is none of these is *unknown*, a
custom operator above all: a case that counts refuses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.utils.flop_counter import flop_registry, sdpa_flop_count

__all__ = ["Operator", "bare", "operator", "tensors"]

aten = torch.ops.aten
Kind = Literal["priced", "elementwise", "free", "composite", "unknown"]


@dataclass(frozen=True)
class Operator:
    """What is asked about an overload at each of its calls; worked out at the first.

    `name` is torch's (`addmm_`), `bare` the public operation behind it (`addmm`). A composite one is made of other
    operators and has no price of its own.
    """

    name: str
    bare: str
    kind: Kind
    formula: Callable[..., int] | None = None

    def flops(self, args: Sequence[Any], kwargs: dict[str, Any], out: Any) -> int:
        """The floating-point operations of one call; 0 where it has no price."""
        if self.formula is not None:
            # A product of complex numbers is four of real ones.
            return int(self.formula(*args, **kwargs, out_val=out)) * (4 if _is_complex(out) else 1)
        if self.kind == "elementwise":
            return _elementwise(self.bare in _MULTIPLYING, (*args, *kwargs.values()), out)
        return 0


def operator(func: Any) -> Operator:
    """What is known of an overload, as a dispatch mode sees it."""
    found = _OPERATORS.get(func)
    if found is None:
        found = _OPERATORS[func] = _look_up(func)
    return found


def tensors(values: Iterable[Any]) -> Iterator[Any]:
    """Every tensor in nested lists, tuples and dicts, depth first."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors(value)
        elif isinstance(value, dict):
            yield from tensors(value.values())


_OPERATORS: dict[Any, Operator] = {}
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def _look_up(func: Any) -> Operator:
    packet = getattr(func, "_overloadpacket", func)
    space, _, name = str(packet).rpartition(".")
    public = bare(name)
    if space != "aten":
        return Operator(str(packet) if space else f"torch.ops.higher_order.{name}", public, "unknown")
    formula = _formula(packet, name)
    if formula is not None:
        return Operator(name, public, "priced", formula)
    if _is_view(func) or name.removesuffix("_") in _FREE:
        return Operator(name, public, "free")
    if name.removesuffix("_") in _BROADCASTING or _is_pointwise(packet, name):
        return Operator(name, public, "elementwise")
    if hasattr(func, "decompose") and func.has_kernel_for_dispatch_key(_COMPOSITE):
        return Operator(name, public, "composite")
    return Operator(name, public, "unknown")


def bare(name: str) -> str:
    """One spelling for the operators behind a public name: `_safe_softmax` and `_softmax` are softmax."""
    name = name.lstrip("_")
    if name.startswith("scaled_dot_product"):
        return "scaled_dot_product_attention"
    for prefix in ("fused_", "safe_", "native_", "unsafe_"):
        name = name.removeprefix(prefix)
    return name.removesuffix("_")


def _is_view(func: Any) -> bool:
    """Whether the overload's schema returns an alias of an argument that it does not write to."""
    returns = getattr(getattr(func, "_schema", None), "returns", ())
    return any(one.alias_info is not None and not one.alias_info.is_write for one in returns)


def _is_pointwise(packet: Any, name: str) -> bool:
    """Whether torch tags the operator, or the one that it is the in-place form of, as elementwise."""
    packets: list[Any] = [packet, getattr(aten, name.removesuffix("_"), packet)]
    return any(torch.Tag.pointwise in getattr(one, overload).tags for one in packets for overload in one.overloads())


def _formula(packet: Any, name: str) -> Callable[..., int] | None:
    """The formula of an operator, which is that of its in-place form too."""
    for one in (packet, getattr(aten, name.removesuffix("_"), None)):
        formula: Callable[..., int] | None = flop_registry.get(one) or _FORMULAS.get(_name(one))
        if formula is not None:
            return formula
    return None


def _name(packet: Any) -> str:
    return str(packet).rpartition(".")[2]


def _is_complex(out: Any) -> bool:
    return isinstance(out, torch.Tensor) and out.dtype.is_complex


# Elementwise


def _elementwise(multiplies: bool, values: Iterable[Any], out: Any) -> int:
    """Two operations an element where two tensors may be multiplied and added up; comparisons are no arithmetic."""
    operands = list(tensors(values))
    if len(operands) < 2 or (isinstance(out, torch.Tensor) and out.dtype == torch.bool):
        return 0
    elements = int(math.prod(torch.broadcast_shapes(*(one.shape for one in operands))))
    if multiplies or elements > max(_distinct(one) for one in operands):
        return 2 * elements
    return 0


def _distinct(tensor: Any) -> int:
    """The elements that a tensor has in memory: an expanded one shows some of them many times."""
    if tensor.layout is not torch.strided:
        return int(tensor.numel())
    shown = math.prod(size for size, step in zip(tensor.shape, tensor.stride(), strict=True) if step)
    return min(int(shown), int(tensor.untyped_storage().nbytes()) // max(int(tensor.element_size()), 1))


_MULTIPLYING = frozenset(("mul", "multiply", "div", "divide", "true_divide", "addcmul", "addcdiv", "lerp"))
# They broadcast without torch's tag, and most of them add up what they broadcast before anyone sees it.
_BROADCASTING = frozenset(
    """binary_cross_entropy binary_cross_entropy_with_logits complex dist huber_loss mse_loss polar smooth_l1_loss
    soft_margin_loss""".split()  # noqa: SIM905  # a word list reads better than as many quoted strings
)

# Products


def _fused_cpu(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))


def _fused_cpu_backward(_: Any, query: Any, key: Any, value: Any, *__: Any, **___: Any) -> int:
    # As for the other fused backward passes: two gradients for each of the two products, and a recomputation.
    return _fused_cpu(query, key, value) * 5 // 2


def _first(one: Any, *_: Any, **__: Any) -> int:
    return 2 * int(one.numel())


def _second(_: Any, one: Any, *__: Any, **___: Any) -> int:
    return 2 * int(one.numel())


def _mm(a: Any, b: Any, *_: Any, **__: Any) -> int:
    return 2 * int(a.numel()) * int(b.shape[-1])


def _added_mm(_: Any, a: Any, b: Any, *__: Any, **___: Any) -> int:
    return _mm(a, b)


def _outer(_: Any, a: Any, b: Any, *__: Any, **___: Any) -> int:
    return 2 * int(a.numel()) * int(b.numel())


def _trilinear(
    a: Any, b: Any, c: Any, expand_a: Sequence[int], expand_b: Sequence[int], expand_c: Sequence[int],
    *_: Any, **__: Any,
) -> int:  # fmt: skip
    shapes = []
    for one, added in ((a, expand_a), (b, expand_b), (c, expand_c)):
        sizes = list(one.shape)
        for at in sorted(added):
            sizes.insert(at, 1)
        shapes.append(sizes)
    return 2 * int(math.prod(torch.broadcast_shapes(*shapes)))


def _distances(a: Any, *_: Any, out_val: Any, **__: Any) -> int:
    return 2 * int(out_val.numel()) * int(a.shape[-1])


def _weighted_bag(weight: Any, indices: Any, *others: Any, per_sample_weights: Any = None, **_: Any) -> int:
    # (offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, …): without weights the rows are only added up.
    weights = others[4] if len(others) > 4 else per_sample_weights
    return 0 if weights is None else 2 * int(indices.numel()) * int(weight.shape[-1])


def _columns(a: Any, b: Any) -> int:
    """The right-hand sides of a system of equations: vectors or the columns of matrices."""
    return int(b.shape[-1]) if b.dim() >= a.dim() else 1


def _triangular(a: Any, b: Any, *_: Any, left: bool = True, **__: Any) -> int:
    return int(a.numel()) * int(b.shape[-1] if left else b.shape[-2])


def _old_triangular(b: Any, a: Any, *_: Any, **__: Any) -> int:
    return int(a.numel()) * int(b.shape[-1])


def _solve(a: Any, b: Any, *_: Any, **__: Any) -> int:
    return 2 * int(a.numel()) * int(a.shape[-1]) // 3 + 2 * int(a.numel()) * _columns(a, b)


def _inverse(a: Any, *_: Any, **__: Any) -> int:
    return 2 * int(a.numel()) * int(a.shape[-1])


def _decomposed(a: Any, *_: Any, **__: Any) -> int:
    return 2 * int(a.numel()) * int(a.shape[-1]) // 3


def _grouped(a: Any, b: Any, *_: Any, **__: Any) -> int:
    # Rows in groups (2-D) by one matrix a group (3-D), or two inputs of the same rank.
    return 2 * int(a.numel()) * int(b.shape[-1])


def _each(one: Any, *_: Any, **__: Any) -> int:
    # A reduction that multiplies or squares what it is given.
    return int(one.numel())


def _each_source(*args: Any, **_: Any) -> int:
    return int(args[3].numel())  # (self, dim, index, source, reduction)


# torch.utils.flop_counter counts nothing for these.
_FORMULAS: dict[str, Callable[..., int]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _fused_cpu,
    "_scaled_dot_product_flash_attention_for_cpu_backward": _fused_cpu_backward,
    "_addmm_activation": _added_mm,
    "_int_mm": _mm,
    "_grouped_mm": _grouped,
    "mv": _first,
    "dot": _first,
    "vdot": _first,
    "addmv": _second,
    "addr": _outer,
    "addbmm": _added_mm,
    "_trilinear": _trilinear,
    "_cdist_forward": _distances,
    "_euclidean_dist": _distances,
    "_pdist_forward": _distances,
    "_embedding_bag": _weighted_bag,
    "_embedding_bag_forward_only": _weighted_bag,
    "linalg_solve_triangular": _triangular,
    "triangular_solve": _old_triangular,
    "_linalg_solve_ex": _solve,
    "linalg_inv_ex": _inverse,
    "linalg_lu_factor_ex": _decomposed,
    "linalg_cholesky_ex": _decomposed,
    "cholesky": _decomposed,
    "prod": _each,
    "cumprod": _each,
    "segment_reduce": _each,
    "var": _each,
    "var_mean": _each,
    "std": _each,
    "std_mean": _each,
    "norm": _each,
    "linalg_vector_norm": _each,
    "scatter_reduce": _each_source,
    "index_reduce": _each_source,
}

# Without an underscore at the end: the in-place form is free as well.
_FREE_BY_KIND = {
    "made, copied, moved": """
        _copy_from _efficientzerotensor _lazy_clone _pin_memory _reshape_copy _stack _to_copy _unsafe_view arange
        as_strided as_strided_copy as_strided_scatter block_diag cat clone constant_pad_nd copy detach
        diag_embed diagonal_copy diagonal_scatter empty empty_like empty_permuted empty_strided expand_copy eye fill
        flip from_file full full_like im2col lift lift_fresh lift_fresh_copy linspace logspace narrow_copy new_empty
        new_empty_strided new_full new_ones new_zeros ones ones_like permute_copy pixel_shuffle pixel_unshuffle
        range reflection_pad1d reflection_pad2d repeat replication_pad1d replication_pad2d resize resize_as roll rot90
        scalar_tensor select_copy select_scatter set slice_copy slice_scatter split_copy split_with_sizes_copy squeeze
        squeeze_copy stack t t_copy transpose transpose_copy tril tril_indices triu triu_indices unbind_copy
        unfold_copy unsafe_split unsafe_split_with_sizes unsqueeze unsqueeze_copy view_as_complex_copy
        view_as_real_copy view_copy zero zeros zeros_like
    """,
    "indexed": """
        _index_put_impl _unsafe_index _unsafe_index_put _unsafe_masked_index _unsafe_masked_index_put_accumulate
        bucketize embedding embedding_renorm gather index index_add index_copy index_fill index_put
        index_select isin masked_fill masked_scatter masked_select nonzero nonzero_static put repeat_interleave
        scatter scatter_add searchsorted take
    """,
    "reduced, normalised": """
        _adaptive_avg_pool2d _aminmax _cummax_helper _cummin_helper _fused_rms_norm _is_all_true _is_any_true
        _log_softmax _logcumsumexp _masked_softmax _native_batch_norm_legit _native_batch_norm_legit_functional
        _native_batch_norm_legit_no_training _safe_softmax _softmax _weight_norm_interface adaptive_max_pool2d all
        allclose amax amin aminmax any argmax argmin avg_pool2d bincount count_nonzero cummax cummin cumsum equal glu
        histc linalg__powsum log_sigmoid_forward logcumsumexp logsumexp max max_pool2d_with_indices
        mean median min mode multi_margin_loss nanmedian nansum native_batch_norm native_group_norm native_layer_norm
        nll_loss2d_forward nll_loss_forward renorm sum trace
    """,
    "sorted": """
        _unique _unique2 kthvalue sort topk unique_consecutive unique_dim unique_dim_consecutive
    """,
    "random": """
        _sample_dirichlet _standard_gamma bernoulli binomial cauchy exponential geometric log_normal multinomial
        native_dropout normal normal_functional poisson rand rand_like randint randint_like randn randn_like random
        randperm uniform
    """,
    "elementwise on one tensor, without torch's tag": """
        _conj_copy _neg_view_copy _prelu_kernel elu_backward floor_divide gelu_backward hardsigmoid_backward hardswish
        hardswish_backward hardtanh_backward leaky_relu_backward log_sigmoid_backward softplus_backward
    """,
    "asked": """
        _assert_async _assert_scalar _assert_tensor_metadata _functional_assert_async _fused_sdp_choice
        _has_same_storage_numel _linalg_check_errors _local_scalar_dense is_pinned is_same_size is_set_to
        record_stream
    """,
    "the backward pass of what is free": """
        _log_softmax_backward_data _softmax_backward_data diagonal_backward embedding_dense_backward
        masked_scatter_backward native_group_norm_backward native_layer_norm_backward nll_loss2d_backward
        nll_loss_backward select_backward slice_backward unfold_backward value_selecting_reduction_backward
    """,
}
_FREE = frozenset(name for names in _FREE_BY_KIND.values() for name in names.split())
