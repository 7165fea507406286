"""Cases, equivalents and peer of the kata clip-loss; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer


def pairs(make: Inputs, n: int, d: int, likeness: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Features of n images and texts, alike in pairs; rows differ in norm."""
    images = make.normal(n, d)
    texts = images * likeness + make.normal(n, d)
    return images * make.uniform(n, 1, low=0.3, high=4.0), texts * make.uniform(n, 1, low=0.3, high=4.0)


def log(factor: float) -> torch.Tensor:
    return torch.tensor(math.log(factor))


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="norms differ, both directions differ, the factor is 1/0.07 as at CLIP's start",
    clauses=("features", "cosines", "scale", "directions", "result"),
)
def base(make: Inputs) -> Call:
    return call(*pairs(make, 4, 6), log(1 / 0.07))


@case(why="a factor of 1, whose logarithm is 0", clauses=("scale",))
def factor_one(make: Inputs) -> Call:
    return call(*pairs(make, 3, 5), torch.tensor(0.0))


@case(why="a factor below 1: its logarithm is negative", clauses=("scale",))
def small_factor(make: Inputs) -> Call:
    return call(*pairs(make, 3, 4), log(0.25))


@case(why="a factor of 0.001: nothing is clamped from below either", clauses=("scale",))
def tiny_factor(make: Inputs) -> Call:
    return call(*pairs(make, 3, 4), log(0.001))


@case(why="a factor of 100, features that do not fit: exp(100) is beyond float32", clauses=("scale",))
def factor_hundred(make: Inputs) -> Call:
    images, texts = pairs(make, 4, 3)
    return call(images, -texts, log(100))


@case(why="a factor of 1000: nothing is clamped, nothing overflows", clauses=("scale",))
def factor_thousand(make: Inputs) -> Call:
    return call(*pairs(make, 3, 5, likeness=0.0), log(1000))


@case(why="one pair has nothing to be told from: the loss is 0", clauses=("directions", "features"))
def one_pair(make: Inputs) -> Call:
    return call(*pairs(make, 1, 4), log(10))


@case(why="two pairs in one channel: cosines are signs", clauses=("features", "cosines"))
def one_channel(make: Inputs) -> Call:
    return call(torch.tensor([[3.0], [-0.5]]), torch.tensor([[0.25], [2.0]]), log(2))


@case(why="as many pairs as channels: a product over the wrong axis has the right shape", clauses=("cosines",))
def square(make: Inputs) -> Call:
    return call(*pairs(make, 4, 4), log(5))


@case(why="all images are alike: texts can tell nothing, images still can", clauses=("directions",))
def images_alike(make: Inputs) -> Call:
    images, texts = pairs(make, 3, 5)
    return call(images[:1].expand(3, 5), texts, log(4))


@case(why="two captions are the same: still only one is right for an image", clauses=("pairs",))
def same_caption(make: Inputs) -> Call:
    images, texts = pairs(make, 4, 5)
    return call(images, texts[[0, 1, 0, 3]], log(8))


@case(why="two images are the same: still only one is right for a caption", clauses=("pairs",))
def same_image(make: Inputs) -> Call:
    images, texts = pairs(make, 4, 5)
    return call(images[[0, 1, 0, 3]], texts, log(8))


@case(why="short vectors: a small number added to a norm changes the cosines", clauses=("features", "cosines"))
def short_vectors(make: Inputs) -> Call:
    images, texts = pairs(make, 3, 6)
    return call(images * 1e-4, texts * 1e-4, log(10))


@case(
    why="norms near 1e-5: their product is 1e-10, and a lower bound of 1e-8 changes it", clauses=("features", "cosines")
)
def shortest_vectors(make: Inputs) -> Call:
    images, texts = pairs(make, 3, 6)
    return call(F.normalize(images) * 1.5e-5, F.normalize(texts) * 1.2e-5, log(10))


@case(why="float16 features near 300, whose squares overflow", clauses=("float32-inside", "result"))
def float16_large(make: Inputs) -> Call:
    images, texts = pairs(make, 3, 6)
    return call((images * 100).to(torch.float16), (texts * 300).to(torch.float16), log(20))


@case(why="float16 features at a factor of 100: the loss is as exact as in float32", clauses=("float32-inside",))
def float16_exact(make: Inputs) -> Call:
    images, texts = pairs(make, 4, 8, likeness=0.2)
    return call(images.to(torch.float16), texts.to(torch.float16), log(100))


@case(why="bfloat16 features of norm 90,000: float16 cannot hold them", clauses=("features", "float32-inside"))
def longest_vectors(make: Inputs) -> Call:
    signs = torch.tensor([[1.0], [-1.0], [1.0]])
    images = torch.cat((signs * 9e4, make.normal(3, 2) * 5e3), dim=1)
    return call(images.bfloat16(), make.normal(3, 3).bfloat16(), log(5))


@case(why="bfloat16 features at a factor of 100: the loss is as exact as in float32", clauses=("float32-inside",))
def bfloat16(make: Inputs) -> Call:
    images, texts = pairs(make, 4, 8)
    return call(images.bfloat16(), texts.bfloat16(), log(100))


@case(why="gradients reach both features and the scale", grads=(0, 1, 2), clauses=("always", "scale"))
def gradients(make: Inputs) -> Call:
    return call(*pairs(make, 3, 5), log(6))


@case(why="gradients reach half features and the scale", grads=(0, 1, 2), clauses=("always", "float32-inside"))
def gradients_half(make: Inputs) -> Call:
    images, texts = pairs(make, 3, 5)
    return call(images.bfloat16(), texts.bfloat16(), log(6))


@case(
    why="gradients at a factor of 500: the scale learns on",
    grads=(0, 1, 2),
    clauses=("always", "scale"),
    rtol=1e-3,
    atol=1e-3,
)
def gradients_large(make: Inputs) -> Call:
    return call(*pairs(make, 4, 3, likeness=0.3), log(500))


@case(why="the same features at three factors", clauses=("always", "scale"))
def three_factors(make: Inputs) -> tuple[Call, ...]:
    images, texts = pairs(make, 3, 4)
    return tuple(call(images, texts, log(factor)) for factor in (1.5, 20.0, 1.5))


@case(why="sizes and a factor of its own", fresh=True, clauses=("cosines", "directions", "scale"))
def fresh(make: Inputs) -> Call:
    return call(*pairs(make, make.size(2, 6), make.size(7, 9)), log(make.random.uniform(2, 60)))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("log-sum-exp", why="logsumexp over rows and over columns, less the diagonal")
def log_sum_exp(image_features, text_features, logit_scale):
    a, b = image_features.float(), text_features.float()
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    logits = a @ b.T * torch.exp(logit_scale)
    right = logits.diagonal()
    return ((logits.logsumexp(1) - right).mean() + (logits.logsumexp(0) - right).mean()) / 2


@equivalent("diagonal-of-log-softmax", why="the mean of both diagonals, as transformers once had it")
def diagonal_of_log_softmax(image_features, text_features, logit_scale):
    images, texts = (F.normalize(x.float(), dim=1) for x in (image_features, text_features))
    logits = torch.einsum("id,jd->ij", images, texts) * logit_scale.exp()
    losses = [-torch.diag(F.log_softmax(logits, dim=dim)) for dim in (0, 1)]
    return torch.cat(losses).mean()


@equivalent(
    "cosine-similarity", why="lets torch compute the cosines, in float64, and the cross entropies of both at once"
)
def cosine_similarity(image_features, text_features, logit_scale):
    cosines = F.cosine_similarity(image_features.double()[:, None], text_features.double()[None], dim=-1)
    logits = torch.stack((cosines, cosines.T)) * logit_scale.double().exp()  # (2, N, N)
    labels = torch.arange(len(cosines)).expand(2, -1)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten()).float()


@equivalent("pair-by-pair", why="a loop over the pairs, with the maximum taken away by hand")
def pair_by_pair(image_features, text_features, logit_scale):
    images, texts = F.normalize(image_features.float()), F.normalize(text_features.float())
    total = 0.0
    for i in range(len(images)):
        for logits in (images[i] @ texts.T, texts[i] @ images.T):
            logits = logits * logit_scale.exp()
            shifted = logits - logits.max()
            total = total + shifted.exp().sum().log() - shifted[i]
    return total / (2 * len(images))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_call(draw: Draw) -> Call:
    n = draw.pick(1, 2, 2, 3, 4, 6)
    d = draw.pick(1, 2, 3, 5, 8, n, n) if n < 3 else draw.pick(2, 3, 5, 8, n, n)
    images, texts = pairs(draw, n, d, draw.pick(0.0, 0.5, 1.0, -1.0))
    size = draw.pick(1.0, 1.0, 1e-3, 100.0)
    draw.mark("size", size)
    images, texts = images * size, texts * draw.pick(1.0, size)
    if n > 2 and draw.chance(0.2):
        draw.mark("two texts alike")
        texts[1] = texts[0]
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    images, texts = draw.layout(images.to(dtype)), draw.layout(texts.to(dtype))
    factor = draw.option(0.1, 1.0, 2.0, 1 / 0.07, 50.0, 99.0, 150.0, 1000.0)
    if dtype == torch.float32 and draw.chance(0.4):
        draw.gradients(0, 1, 2)
        if factor > 20:  # float32 keeps seven digits of a cosine, and the factor magnifies the last
            draw.within(rtol=1e-3, atol=1e-3)
    return call(images, texts, log(factor))


# Peer -------------------------------------------------------------------------------------------------------------


@peer("transformers")
def by_transformers(image_features, text_features, logit_scale):
    from transformers.models.clip.modeling_clip import image_text_contrastive_loss

    images, texts = (x.float() / x.float().pow(2).sum(-1, keepdim=True).sqrt() for x in (image_features, text_features))
    return image_text_contrastive_loss(texts @ images.T * logit_scale.exp())
