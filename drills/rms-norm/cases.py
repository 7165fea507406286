"""Cases, wrong kernels, equivalents and peer of the kata rms-norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="rows of different size and a mean far from zero: centring, or a norm over everything, shows")
def base(make: Inputs) -> Call:
    x = make.normal(2, 3, 5, mean=1.5) * torch.tensor([0.5, 2.0, 4.0]).view(1, 3, 1)
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="one vector, no batch: the last dimension is the only one")
def one_vector(make: Inputs) -> Call:
    return call(make.normal(6, mean=-2.0), make.normal(6))


@case(why="as many rows as channels: a mean without keepdim broadcasts along the wrong axis")
def square(make: Inputs) -> Call:
    x = make.normal(4, 4) * torch.tensor([0.5, 1.0, 2.0, 8.0]).view(4, 1)
    return call(x, make.uniform(4, low=0.5, high=2.0))


@case(why="eps of 0.5 beside small values: its place under the root matters")
def large_eps(make: Inputs) -> Call:
    return call(make.normal(3, 7, std=0.8), make.uniform(7, low=0.5, high=2.0), eps=0.5)


@case(why="a row of zeros: only eps keeps 0/0 away")
def zero_row(make: Inputs) -> Call:
    x = make.normal(3, 5, mean=1.0)
    x[1] = 0.0
    return call(x, make.uniform(5, low=0.5, high=2.0))


@case(why="values near 300 in float16: their squares overflow")
def float16_large(make: Inputs) -> Call:
    x = make.uniform(2, 3, 8, low=250.0, high=350.0, dtype=torch.float16)
    x[..., ::3] *= -1
    return call(x, make.uniform(8, low=0.5, high=2.0, dtype=torch.float16))


@case(why="bfloat16 activations with a float32 weight: who decides the result's dtype", rtol=4e-3, atol=1e-5)
def mixed_dtypes(make: Inputs) -> Call:
    return call(make.normal(3, 6, mean=0.5, dtype=torch.bfloat16), make.uniform(6, low=0.5, high=2.0))


@case(
    why="an outlier channel pushes the rest below float16, and a large weight brings it back", variants=("cast-last",)
)
def outlier_channel(make: Inputs) -> Call:
    x = make.uniform(2, 8, low=2e-6, high=4e-6, dtype=torch.float16)
    x[:, 3] = 300.0
    weight = make.uniform(8, low=3e4, high=6e4, dtype=torch.float16)
    weight[3] = 0.01
    return call(x, weight)


@case(why="one channel, and no rows at all: nothing may crash")
def no_rows(make: Inputs) -> Call:
    return call(make.normal(0, 5), make.normal(5))


@case(why="sizes of its own", fresh=True)
def fresh(make: Inputs) -> Call:
    sizes = [make.size(1, 4), make.size(2, 6), make.size(7, 12)]
    x = make.normal(*sizes, mean=1.0) * make.uniform(sizes[1], 1, low=0.3, high=3.0)
    return call(x, make.uniform(sizes[2], low=0.5, high=2.0), eps=1e-3)


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "mean-centred",
    en="You subtract the mean: that is LayerNorm. RMSNorm divides by the root mean square and centres nothing.",
    zh="你减掉了均值，那是 LayerNorm。RMSNorm 只除以均方根，不做中心化。",
    seen="LayerNorm code that was edited into an RMSNorm",
    fix="normal = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)",
    variants=("cast-first",),
)
def mean_centred(x, weight, eps=1e-6):
    wide = x.float()
    normal = (wide - wide.mean(-1, keepdim=True)) * torch.rsqrt(wide.var(-1, keepdim=True, unbiased=False) + eps)
    return weight * normal.to(x.dtype)


@misconception(
    "variance",
    en="torch.var subtracts the mean before it squares. RMSNorm wants the mean of the squares as they are.",
    zh="torch.var 会先减均值再平方。RMSNorm 要的是原值平方的平均。",
    seen="code in which the mean square is called `variance`, as in Llama's own",
    fix="mean_square = wide.pow(2).mean(-1, keepdim=True)",
    variants=("cast-first",),
)
def variance(x, weight, eps=1e-6):
    wide = x.float()
    mean_square = wide.var(-1, keepdim=True, unbiased=False)
    return weight * (wide * torch.rsqrt(mean_square + eps)).to(x.dtype)


@misconception(
    "no-eps",
    en="Without eps a vector of zeros is 0/0, and one padding row can turn the batch into NaN.",
    zh="没有 eps，全零向量就是 0/0，一行填充就能把整个 batch 变成 NaN。",
    seen="a formula copied from the paper's first equation",
)
def no_eps(x, weight, eps=1e-6):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True))).to(x.dtype)


@misconception(
    "eps-outside-root",
    en="You add eps to the root; the contract adds it to the mean square, under the root.",
    zh="你把 eps 加在了根号外面；约定是加在均方值上、根号之内。",
    seen="hand-written norms in tutorials: x / (rms + eps)",
    fix="return weight * (wide / torch.sqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)",
    variants=("cast-first",),
)
def eps_outside_root(x, weight, eps=1e-6):
    wide = x.float()
    rms = wide.pow(2).mean(-1, keepdim=True).sqrt()
    return weight * (wide / (rms + eps)).to(x.dtype)


@misconception(
    "half-accumulation",
    en="You square in x's own dtype: in float16 300² is infinite, and the result collapses to zero. Go to float32 first.",
    zh="你直接用 x 的 dtype 求平方：float16 里 300² 是无穷大，结果会塌成 0。要先转成 float32。",
    seen="models that work in float32 and fail when they are loaded in half precision",
    fix="mean_square = x.float().pow(2).mean(-1, keepdim=True)",
    variants=("cast-first",),
)
def half_accumulation(x, weight, eps=1e-6):
    mean_square = x.pow(2).mean(-1, keepdim=True)
    return weight * (x * torch.rsqrt(mean_square + eps)).to(x.dtype)


@misconception(
    "sum-for-mean",
    en="You divide by the vector's length, the root of the summed squares: take their mean instead. You are off by √D.",
    zh="你除以的是向量长度，即平方和的根；应当取平方的平均再开方。结果差了 √D 倍。",
    seen="F.normalize used as a norm layer",
)
def sum_for_mean(x, weight, eps=1e-6):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).sum(-1, keepdim=True) + eps)).to(x.dtype)


@misconception(
    "no-root",
    en="You divide by the mean square itself: take its square root.",
    zh="你除以的是均方值本身：还要开平方。",
    seen="first drafts that write the mean of the squares and forget the root",
)
def no_root(x, weight, eps=1e-6):
    wide = x.float()
    return weight * (wide / (wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)


@misconception(
    "mean-over-everything",
    en="One root mean square for the whole tensor: every vector has its own. Take the mean over the last dimension only.",
    zh="整个张量共用了一个均方根：每个向量应当有自己的。只在最后一维上求平均。",
    seen="`.mean()` without a dimension, which no shape check notices",
)
def mean_over_everything(x, weight, eps=1e-6):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean() + eps)).to(x.dtype)


@misconception(
    "no-keepdim",
    en="Without keepdim the statistics line up with the wrong axis: an error, or silence when rows and channels are as many.",
    zh="少了 keepdim，统计量会对到错误的轴上：要么报错，要么在行数等于通道数时悄悄算错。",
    seen="the square batch of a first test",
)
def no_keepdim(x, weight, eps=1e-6):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1) + eps)).to(x.dtype)


@misconception(
    "no-weight",
    en="The learned weight never multiplies: each channel has its own scale.",
    zh="漏乘了学到的权重：每个通道都有自己的缩放系数。",
    seen="tests in which the weight is all ones, as it is at initialisation",
)
def no_weight(x, weight, eps=1e-6):
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype)


@misconception(
    "one-plus-weight",
    en="You multiply by 1 + weight. That belongs to Gemma's checkpoints, which store weight − 1; here weight is used as it is.",
    zh="你乘的是 1 + weight。那是 Gemma 权重的约定（存的是 weight − 1）；这里 weight 直接使用。",
    seen="a Gemma layer reused for a Llama checkpoint",
)
def one_plus_weight(x, weight, eps=1e-6):
    wide = x.float()
    normal = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (normal * (1 + weight.float())).to(x.dtype)


@misconception(
    "never-cast-back",
    en="The result stays in float32: cast it back, or every layer after this one runs in the wrong precision.",
    zh="结果停留在 float32：要转换回来，否则后面每一层都会用错精度。",
    seen="a half-precision model that suddenly needs twice the memory",
)
def never_cast_back(x, weight, eps=1e-6):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps))


@misconception(
    "in-place",
    en="You normalise x in place: the residual branch still needs the x that the caller passed.",
    zh="你原地修改了 x：残差分支还要用调用者传进来的那个 x。",
    seen="a `x *= …` meant to save memory",
)
def in_place(x, weight, eps=1e-6):
    x *= torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + eps).to(x.dtype)
    return weight * x


@misconception(
    "mean-centred",
    en="You subtract the mean: that is LayerNorm. RMSNorm divides by the root mean square and centres nothing.",
    zh="你减掉了均值，那是 LayerNorm。RMSNorm 只除以均方根，不做中心化。",
    seen="LayerNorm code that was edited into an RMSNorm",
    variants=("cast-last",),
)
def mean_centred_last(x, weight, eps=1e-6):
    wide = x.float()
    normal = (wide - wide.mean(-1, keepdim=True)) * torch.rsqrt(wide.var(-1, keepdim=True, unbiased=False) + eps)
    return (weight * normal).to(x.dtype)


@misconception(
    "variance",
    en="torch.var subtracts the mean before it squares. RMSNorm wants the mean of the squares as they are.",
    zh="torch.var 会先减均值再平方。RMSNorm 要的是原值平方的平均。",
    seen="code in which the mean square is called `variance`, as in Llama's own",
    variants=("cast-last",),
)
def variance_last(x, weight, eps=1e-6):
    wide = x.float()
    return (weight * wide * torch.rsqrt(wide.var(-1, keepdim=True, unbiased=False) + eps)).to(x.dtype)


@misconception(
    "eps-outside-root",
    en="You add eps to the root; the contract adds it to the mean square, under the root.",
    zh="你把 eps 加在了根号外面；约定是加在均方值上、根号之内。",
    seen="hand-written norms in tutorials: x / (rms + eps)",
    variants=("cast-last",),
)
def eps_outside_root_last(x, weight, eps=1e-6):
    wide = x.float()
    rms = wide.pow(2).mean(-1, keepdim=True).sqrt()
    return (weight * wide / (rms + eps)).to(x.dtype)


@misconception(
    "half-accumulation",
    en="You square in x's own dtype: in float16 300² is infinite, and the result collapses to zero. Go to float32 first.",
    zh="你直接用 x 的 dtype 求平方：float16 里 300² 是无穷大，结果会塌成 0。要先转成 float32。",
    seen="models that work in float32 and fail when they are loaded in half precision",
    variants=("cast-last",),
)
def half_accumulation_last(x, weight, eps=1e-6):
    mean_square = x.pow(2).mean(-1, keepdim=True)
    return (weight * (x * torch.rsqrt(mean_square + eps))).to(x.dtype)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent(
    "divides-by-sqrt", why="divides by the square root instead of multiplying by rsqrt", variants=("cast-first",)
)
def divides_by_sqrt(x, weight, eps=1e-6):
    wide = x.float()
    return (wide / (wide.square().mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype) * weight


@equivalent("float64-inside", why="computes in float64", variants=("cast-first",))
def float64_inside(x, weight, eps=1e-6):
    wide = x.double()
    return weight * (wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt()).to(x.dtype)


@equivalent("vector-norm", why="takes the length of the vector and divides its square by D", variants=("cast-first",))
def vector_norm(x, weight, eps=1e-6):
    wide = x.float()
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    return weight * (wide / torch.sqrt(length**2 / x.shape[-1] + eps)).to(x.dtype)


@equivalent("scales-by-both", why="folds weight and inverse root into one factor", variants=("cast-last",))
def scales_by_both(x, weight, eps=1e-6):
    wide = x.float()
    factor = weight.float() * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (wide * factor).to(x.dtype)


@equivalent("float64-inside-last", why="computes in float64", variants=("cast-last",))
def float64_inside_last(x, weight, eps=1e-6):
    wide = x.double()
    return (wide / (wide.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight.double()).to(x.dtype)


@equivalent("einsum", why="sums the squares by einsum", variants=("cast-last",))
def einsum(x, weight, eps=1e-6):
    wide = x.float()
    mean_square = torch.einsum("...d,...d->...", wide, wide).unsqueeze(-1) / x.shape[-1]
    return (wide * (mean_square + eps).rsqrt() * weight.float()).to(x.dtype)


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("cast-first",))
def torch_cast_first(x, weight, eps=1e-6):
    return F.rms_norm(x.float(), (x.shape[-1],), eps=eps).to(x.dtype) * weight


@peer("torch", variants=("cast-last",))
def torch_cast_last(x, weight, eps=1e-6):
    return F.rms_norm(x.float(), (x.shape[-1],), weight=weight.float(), eps=eps).to(x.dtype)
