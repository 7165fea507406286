"""Cases, equivalents and peers of the kata patchify; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="batch, channels, rows and columns of the grid, and the patch: all differ in size",
    clauses=("images", "grid", "pixels", "result"),
)
def base(make: Inputs) -> Call:
    return call(make.normal(2, 3, 20, 8), 4)


@case(why="one channel, two patches beside each other: a plain reshape mixes them", clauses=("grid", "pixels"))
def two_beside(make: Inputs) -> Call:
    return call(make.normal(1, 1, 2, 4), 2)


@case(why="one channel, two patches above each other", clauses=("grid",))
def two_above(make: Inputs) -> Call:
    return call(make.normal(1, 1, 4, 2), 2)


@case(why="patches of one pixel: only the order of the grid is left", clauses=("grid",))
def one_pixel(make: Inputs) -> Call:
    return call(make.normal(1, 1, 2, 3), 1)


@case(why="the image is one patch: only the order within it is left", clauses=("pixels",))
def one_patch(make: Inputs) -> Call:
    return call(make.normal(1, 2, 3, 3), 3)


@case(why="patches of one pixel with three channels: a token is a colour", clauses=("pixels", "grid"))
def colours(make: Inputs) -> Call:
    return call(make.normal(2, 3, 2, 2), 1)


@case(why="every size is 2: what is transposed has the right shape", clauses=("grid", "pixels"))
def equal_sizes(make: Inputs) -> Call:
    return call(make.normal(2, 2, 4, 4), 2)


@case(why="a wide strip, four channels", clauses=("images", "grid"))
def wide(make: Inputs) -> Call:
    return call(make.normal(1, 4, 3, 12), 3)


@case(why="a tall strip", clauses=("images", "grid"))
def tall(make: Inputs) -> Call:
    return call(make.normal(3, 2, 15, 3), 3)


@case(why="the height is no multiple", raises="ValueError", clauses=("multiple",))
def height_left_over(make: Inputs) -> Call:
    return call(make.normal(1, 3, 6, 4), 4)


@case(why="the width is no multiple", raises="ValueError", clauses=("multiple",))
def width_left_over(make: Inputs) -> Call:
    return call(make.normal(1, 3, 4, 7), 2)


@case(
    why="the height is no multiple of 4, though the number of pixels is one of 16",
    raises="ValueError",
    clauses=("multiple",),
)
def area_fits(make: Inputs) -> Call:
    return call(make.normal(2, 1, 6, 8), 4)


@case(why="a patch larger than the image", raises="ValueError", clauses=("multiple",))
def patch_too_large(make: Inputs) -> Call:
    return call(make.normal(1, 1, 2, 2), 4)


@case(why="float16 stays float16", clauses=("images", "result"))
def float16(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4, 6, std=300.0, dtype=torch.float16), 2)


@case(why="bfloat16 stays bfloat16", clauses=("images", "result"))
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(1, 3, 6, 4, dtype=torch.bfloat16), 2)


@case(why="gradients find their way back to their pixels", grads=(0,), clauses=("always",))
def gradients(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4, 6), 2)


@case(why="channels last in memory, as image libraries deliver them", clauses=("always",))
def channels_last_in_memory(make: Inputs) -> Call:
    return call(make.normal(2, 4, 6, 3).permute(0, 3, 1, 2), 2)


@case(why="the same images three times, with patches of 2, 1 and 4", clauses=("always",))
def three_sizes(make: Inputs) -> tuple[Call, ...]:
    images = make.normal(1, 2, 4, 4)
    return tuple(call(images, p) for p in (2, 1, 4))


@case(why="sizes of its own", fresh=True, clauses=("grid", "pixels"))
def fresh(make: Inputs) -> Call:
    p = make.size(2, 4)
    return call(make.normal(make.size(1, 3), make.size(2, 4), make.size(2, 4) * p, make.size(5, 6) * p), p)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent(
    "unfold", why="F.unfold cuts, and puts the pixels of a patch before the patches", variants=("channels-first",)
)
def unfold(images, patch_size):
    h, w = images.shape[-2:]
    if h % patch_size or w % patch_size:
        raise ValueError("no multiples of the patch")
    patches = F.unfold(images, patch_size, stride=patch_size)
    return patches.transpose(1, 2)


@equivalent("pixel-unshuffle", why="space to depth, then the grid as a sequence", variants=("channels-first",))
def pixel_unshuffle(images, patch_size):
    if images.shape[2] % patch_size != 0 or images.shape[3] % patch_size != 0:
        raise ValueError(f"no multiples of {patch_size}")
    return F.pixel_unshuffle(images, patch_size).flatten(2).mT


@equivalent("crops", why="cuts patch by patch in two loops", variants=("channels-first",))
def crops(images, patch_size):
    p = patch_size
    if any(side % p for side in images.shape[2:]):
        raise ValueError("no multiples")
    corners = [(y, x) for y in range(0, images.shape[2], p) for x in range(0, images.shape[3], p)]
    return torch.stack([images[:, :, y : y + p, x : x + p].flatten(1) for y, x in corners], dim=1)


@equivalent("einsum", why="splits both sides, and lets einsum permute, as MAE does", variants=("channels-last",))
def einsum(images, patch_size):
    n, c, height, width = images.shape
    p = patch_size
    if height % p != 0 or width % p != 0:
        raise ValueError("no multiples")
    h, w = height // p, width // p
    x = images.reshape(n, c, h, p, w, p)
    x = torch.einsum("nchpwq->nhwpqc", x)
    return x.reshape(n, h * w, p**2 * c)


@equivalent("tensor-unfold", why="unfolds H and W of the tensor, then moves the channels", variants=("channels-last",))
def tensor_unfold(images, patch_size):
    p = patch_size
    if images.size(2) % p or images.size(3) % p:
        raise ValueError("no multiples")
    windows = images.unfold(2, p, p).unfold(3, p, p)  # (B, C, H/P, W/P, P, P)
    return windows.movedim(1, -1).flatten(3).flatten(1, 2)


@equivalent("pixel-numbers", why="computes where each number comes from, and gathers", variants=("channels-last",))
def pixel_numbers(images, patch_size):
    b, c, h, w = images.shape
    p = patch_size
    if h % p or w % p:
        raise ValueError("no multiples")
    places = [
        k * h * w + (y + i) * w + x + j
        for y in range(0, h, p)
        for x in range(0, w, p)
        for i in range(p)
        for j in range(p)
        for k in range(c)
    ]
    return images.flatten(1)[:, places].view(b, (h // p) * (w // p), p * p * c)


# Domain -----------------------------------------------------------------------------------------------------------


@domain(raises=("ValueError",))
def any_call(draw: Draw) -> Call:
    p = draw.pick(1, 1, 2, 2, 3, 4)
    rows = draw.pick(1, 1, 2, 3, p)
    columns = draw.pick(1, 2, 3, 5, p, rows)
    channels = draw.pick(1, 2, 3, 3, 4, p, rows)
    batch = draw.pick(1, 1, 2, 3, channels, columns)
    h, w = rows * p, columns * p
    if draw.chance(0.2):
        h, w = draw.pick((h + 1, w), (h, w + 1), (h + 1, w + 1), (h + p // 2, 2 * w), (max(1, h - 1), w), (1, 1))
    dtype = draw.pick(torch.float32, torch.float32, torch.float16, torch.bfloat16)
    images = draw.layout(draw.normal(batch, channels, h, w, std=draw.pick(1.0, 100.0)).to(dtype))
    if draw.chance(0.2):
        images = images.to(memory_format=torch.channels_last)
    if dtype == torch.float32 and draw.chance(0.3):
        draw.gradients(0)
    return call(images, patch_size=p) if draw.chance(0.2) else call(images, p)


# Peers ------------------------------------------------------------------------------------------------------------


@peer("torch", variants=("channels-first",))
def by_convolution(images, patch_size):
    """A convolution whose weight, flattened as ViT's, picks one number a channel."""
    c, p = images.shape[1], patch_size
    if images.shape[2] % p or images.shape[3] % p:
        raise ValueError("a convolution would crop")
    weight = torch.eye(c * p * p, dtype=images.dtype).view(c * p * p, c, p, p)
    return F.conv2d(images, weight, stride=p).flatten(2).transpose(1, 2)


@peer("transformers", variants=("channels-last",))
def by_transformers(images, patch_size):
    from types import SimpleNamespace

    from transformers.models.vit_mae.modeling_vit_mae import ViTMAEForPreTraining

    if images.shape[2] % patch_size or images.shape[3] % patch_size:
        raise ValueError("the method looks at square images only")
    model = SimpleNamespace(config=SimpleNamespace(patch_size=patch_size, num_channels=images.shape[1]))
    return ViTMAEForPreTraining.patchify(model, images, interpolate_pos_encoding=True)
