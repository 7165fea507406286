"""Cases, wrong kernels, equivalents and peer of the kata cross-entropy."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="ragged rows: padded labels, as many in each row as no other", grads=(0,))
def ragged(make: Inputs) -> Call:
    labels = make.integers(0, 7, 3, 5)
    labels[0, 3:] = -100
    labels[2, :2] = -100
    labels[2, 4] = -100
    return call(make.normal(3, 5, 7, std=2.0), labels)


@case(why="nothing is ignored; rows and positions differ in number")
def all_counted(make: Inputs) -> Call:
    return call(make.normal(2, 4, 6, std=2.0), make.integers(0, 6, 2, 4))


@case(why="ignore_index is 0, a valid id: the parameter decides, not −100 and not the sign")
def ignore_zero(make: Inputs) -> Call:
    labels = make.integers(1, 5, 2, 6)
    labels[0, 4:] = 0
    labels[1, 2] = 0
    return call(make.normal(2, 6, 5, std=2.0), labels, ignore_index=0)


@case(why="every label is ignored: the contract says 0")
def all_ignored(make: Inputs) -> Call:
    return call(make.normal(2, 3, 4), make.integers(0, 1, 2, 3) - 100)


@case(why="a sequence of one token has nothing to predict", variants=("shifted",))
def one_token(make: Inputs) -> Call:
    return call(make.normal(2, 1, 4), make.integers(0, 4, 2, 1))


# Near 1000 float32 steps by 6e-5, which x[label] − logsumexp(x) meets head-on.
@case(why="logits of 1000 on the right token: exp overflows unless the maximum is taken out", atol=1e-4)
def confident_and_right(make: Inputs) -> Call:
    labels = make.integers(0, 5, 2, 4)
    logits = make.normal(2, 4, 5)
    for row in range(2):
        for t in range(4):  # right under either convention
            logits[row, t, labels[row, t]] += 1000.0
            logits[row, t, labels[row, (t + 1) % 4]] += 1000.0
    return call(logits, labels)


@case(why="logits of 1000 on a wrong token: the probability of the right one underflows to 0")
def confident_and_wrong(make: Inputs) -> Call:
    logits = make.normal(2, 4, 5)
    logits[..., 4] += 1000.0
    return call(logits, make.integers(0, 4, 2, 4))


@case(why="bfloat16 logits: the loss is computed in float32 and returned in it")
def bfloat16(make: Inputs) -> Call:
    return call(make.normal(2, 5, 9, std=4.0, dtype=torch.bfloat16), make.integers(0, 9, 2, 5))


@case(why="sizes of its own, with a label in three ignored", fresh=True)
def fresh(make: Inputs) -> Call:
    b, t, v = make.size(2, 4), make.size(5, 8), make.size(9, 12)
    labels = make.integers(0, v, b, t).masked_fill(make.boolean(b, t, true=0.3), -1)
    labels[0, 1:3] = torch.tensor([0, v - 1])
    labels[1, -1] = -1
    return call(make.normal(b, t, v, std=2.0), labels, ignore_index=-1)


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "divides-by-all",
    en="You divide by every position, ignored ones too: batches with more padding then weigh less. Divide by the labels that count.",
    zh="你除以了所有位置，连被忽略的也算在内：填充越多的 batch 权重越小。应当除以计入的标签数。",
    seen="losses masked by multiplication and closed with .mean()",
    variants=("aligned",),
    fix="return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)",
)
def divides_by_all(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    safe = labels.masked_fill(~counted, 0).unsqueeze(-1)
    losses = -logits.float().log_softmax(-1).gather(-1, safe).squeeze(-1)
    return losses.masked_fill(~counted, 0.0).mean()


@misconception(
    "divides-by-all",
    en="You divide by every position, ignored ones too: batches with more padding then weigh less. Divide by the labels that count.",
    zh="你除以了所有位置，连被忽略的也算在内：填充越多的 batch 权重越小。应当除以计入的标签数。",
    seen="losses masked by multiplication and closed with .mean()",
    variants=("shifted",),
)
def divides_by_all_shifted(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return total / max(labels.numel(), 1)


@misconception(
    "nan-when-all-ignored",
    en="0/0: a micro-batch in which nothing counts gives NaN and poisons the whole step. The contract says 0.",
    zh="0/0：没有任何标签计入的 micro-batch 会给出 NaN，毁掉整个训练步。约定是返回 0。",
    seen="F.cross_entropy's own mean, by design",
    variants=("shifted",),
    fix="return total / counted.sum().clamp(min=1)",
)
def nan_when_all_ignored(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    counted = labels != ignore_index
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return total / counted.sum()


@misconception(
    "nan-when-all-ignored",
    en="0/0: a micro-batch in which nothing counts gives NaN and poisons the whole step. The contract says 0.",
    zh="0/0：没有任何标签计入的 micro-batch 会给出 NaN，毁掉整个训练步。约定是返回 0。",
    seen="F.cross_entropy's own mean, by design",
    variants=("aligned",),
)
def nan_when_all_ignored_aligned(logits, labels, ignore_index=-100):
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=ignore_index)


@misconception(
    "shifts-the-wrong-way",
    en="You score position t on token t − 1, which it has already read. logits lose their last position, labels their first.",
    zh="你让位置 t 预测它已经读过的第 t − 1 个 token。应当去掉 logits 的最后一位和 labels 的第一位。",
    seen="slices written from memory: logits[:, 1:] against labels[:, :-1]",
    variants=("shifted",),
)
def shifts_the_wrong_way(logits, labels, ignore_index=-100):
    logits, labels = logits[:, 1:].float(), labels[:, :-1]
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@misconception(
    "shifts-across-rows",
    en="You flatten before you shift: the last position of each row is scored on the first token of the next one.",
    zh="你先展平再移位：每一行的最后一个位置被拿去预测下一行的第一个 token。",
    seen="a shift written after .view(-1, V)",
    variants=("shifted",),
    fix="logits, labels = logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten()",
)
def shifts_across_rows(logits, labels, ignore_index=-100):
    logits, labels = logits.float().flatten(0, 1)[:-1], labels.flatten()[1:]
    total = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@misconception(
    "log-of-softmax",
    en="log(softmax(x)): the softmax underflows to 0 and its logarithm is −inf. Use log_softmax, or x[label] − logsumexp(x).",
    zh="log(softmax(x))：softmax 下溢成 0，取对数就是 −inf。用 log_softmax，或 x[label] − logsumexp(x)。",
    seen="the formula translated word by word",
    variants=("aligned",),
    fix="log_p = logits.float().log_softmax(-1)",
)
def log_of_softmax(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    log_p = logits.float().softmax(-1).log()
    losses = -log_p.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)


@misconception(
    "log-of-softmax",
    en="log(softmax(x)): the softmax underflows to 0 and its logarithm is −inf. Use log_softmax, or x[label] − logsumexp(x).",
    zh="log(softmax(x))：softmax 下溢成 0，取对数就是 −inf。用 log_softmax，或 x[label] − logsumexp(x)。",
    seen="the formula translated word by word",
    variants=("shifted",),
)
def log_of_softmax_shifted(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    counted = labels != ignore_index
    log_p = logits.softmax(-1).log()
    losses = -log_p.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)


@misconception(
    "exp-without-maximum",
    en="exp(1000) is infinite: take the maximum out first, as torch.logsumexp does.",
    zh="exp(1000) 是无穷大：先减去最大值，torch.logsumexp 就是这么做的。",
    seen="a hand-written logsumexp",
    variants=("aligned",),
)
def exp_without_maximum(logits, labels, ignore_index=-100):
    wide, counted = logits.float(), labels != ignore_index
    picked = wide.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    losses = wide.exp().sum(-1).log() - picked
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)


@misconception(
    "exp-without-maximum",
    en="exp(1000) is infinite: take the maximum out first, as torch.logsumexp does.",
    zh="exp(1000) 是无穷大：先减去最大值，torch.logsumexp 就是这么做的。",
    seen="a hand-written logsumexp",
    variants=("shifted",),
)
def exp_without_maximum_shifted(logits, labels, ignore_index=-100):
    wide, labels = logits[:, :-1].float(), labels[:, 1:]
    counted = labels != ignore_index
    picked = wide.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    losses = wide.exp().sum(-1).log() - picked
    return losses.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)


@misconception(
    "mean-of-row-means",
    en="You average each row and then the rows: a token in a short row weighs more. The mean runs over all counted tokens at once.",
    zh="你先求每行平均、再对行平均：短行里的 token 权重变大了。应当对所有计入的 token 一次求平均。",
    seen="per-sequence losses averaged at the end; gradient accumulation has the same fault",
    variants=("shifted",),
)
def mean_of_row_means(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    losses = F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=ignore_index, reduction="none")  # (B, T − 1)
    counted = labels != ignore_index
    return (losses.sum(-1) / counted.sum(-1).clamp(min=1)).mean()


@misconception(
    "mean-of-row-means",
    en="You average each row and then the rows: a token in a short row weighs more. The mean runs over all counted tokens at once.",
    zh="你先求每行平均、再对行平均：短行里的 token 权重变大了。应当对所有计入的 token 一次求平均。",
    seen="per-sequence losses averaged at the end; gradient accumulation has the same fault",
    variants=("aligned",),
)
def mean_of_row_means_aligned(logits, labels, ignore_index=-100):
    losses = F.cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=ignore_index, reduction="none")
    counted = labels != ignore_index
    return (losses.sum(-1) / counted.sum(-1).clamp(min=1)).mean()


@misconception(
    "ignored-as-token-0",
    en="You replaced the ignored labels by 0 and then scored them: padding now trains the model to say token 0.",
    zh="你把被忽略的标签换成了 0，却仍然计了损失：填充在教模型输出 token 0。",
    seen="labels.clamp(min=0) put in to silence an index error",
    variants=("shifted",),
)
def ignored_as_token_0(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    safe = labels.masked_fill(labels == ignore_index, 0)
    total = F.cross_entropy(logits.flatten(0, 1), safe.flatten(), reduction="sum")
    return total / max(safe.numel(), 1)


@misconception(
    "ignored-as-token-0",
    en="You replaced the ignored labels by 0 and then scored them: padding now trains the model to say token 0.",
    zh="你把被忽略的标签换成了 0，却仍然计了损失：填充在教模型输出 token 0。",
    seen="labels.clamp(min=0) put in to silence an index error",
    variants=("aligned",),
)
def ignored_as_token_0_aligned(logits, labels, ignore_index=-100):
    safe = labels.masked_fill(labels == ignore_index, 0)
    return F.cross_entropy(logits.float().flatten(0, 1), safe.flatten())


@misconception(
    "hard-coded-ignore-index",
    en="You ignore −100 whatever ignore_index says: use the parameter.",
    zh="不管 ignore_index 是多少，你忽略的都是 −100：要用参数。",
    seen="code that relies on the default and is then called with the pad id",
    variants=("shifted",),
)
def hard_coded_ignore_index(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)


@misconception(
    "hard-coded-ignore-index",
    en="You ignore −100 whatever ignore_index says: use the parameter.",
    zh="不管 ignore_index 是多少，你忽略的都是 −100：要用参数。",
    seen="code that relies on the default and is then called with the pad id",
    variants=("aligned",),
)
def hard_coded_ignore_index_aligned(logits, labels, ignore_index=-100):
    total = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)


@misconception(
    "sum",
    en="You return the sum: the loss, and with it the step, then grows with the batch. Divide by the number of labels that count.",
    zh="你返回的是总和：损失和更新步长会随 batch 变大。要除以计入的标签数。",
    seen='reduction="sum" left over from logging',
    variants=("shifted",),
)
def sum_(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")


@misconception(
    "sum",
    en="You return the sum: the loss, and with it the step, then grows with the batch. Divide by the number of labels that count.",
    zh="你返回的是总和：损失和更新步长会随 batch 变大。要除以计入的标签数。",
    seen='reduction="sum" left over from logging',
    variants=("aligned",),
)
def sum_aligned(logits, labels, ignore_index=-100):
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")


@misconception(
    "in-half-precision",
    en="You compute the loss in bfloat16: with two or three digits it stops moving long before the model does. Lift the logits to float32 first.",
    zh="你用 bfloat16 算损失：它只有两三位有效数字，模型还在变好，损失已经看不出变化。先把 logits 转成 float32。",
    seen="mixed-precision training outside autocast",
    variants=("shifted",),
)
def in_half_precision(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1], labels[:, 1:]
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return (total / (labels != ignore_index).sum().clamp(min=1)).float()


@misconception(
    "in-half-precision",
    en="You compute the loss in bfloat16: with two or three digits it stops moving long before the model does. Lift the logits to float32 first.",
    zh="你用 bfloat16 算损失：它只有两三位有效数字，模型还在变好，损失已经看不出变化。先把 logits 转成 float32。",
    seen="mixed-precision training outside autocast",
    variants=("aligned",),
)
def in_half_precision_aligned(logits, labels, ignore_index=-100):
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return (total / (labels != ignore_index).sum().clamp(min=1)).float()


@misconception(
    "softmax-first",
    en="You pass probabilities to a function that takes logits: the softmax is applied twice and the loss can never get near 0.",
    zh="你把概率传给了要求 logits 的函数：softmax 做了两次，损失永远降不到 0 附近。",
    seen="a model whose last layer is a softmax, trained with F.cross_entropy",
    variants=("aligned",),
)
def softmax_first(logits, labels, ignore_index=-100):
    p = logits.float().softmax(-1).flatten(0, 1)
    total = F.cross_entropy(p, labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@misconception(
    "softmax-first",
    en="You pass probabilities to a function that takes logits: the softmax is applied twice and the loss can never get near 0.",
    zh="你把概率传给了要求 logits 的函数：softmax 做了两次，损失永远降不到 0 附近。",
    seen="a model whose last layer is a softmax, trained with F.cross_entropy",
    variants=("shifted",),
)
def softmax_first_shifted(logits, labels, ignore_index=-100):
    p, labels = logits[:, :-1].float().softmax(-1), labels[:, 1:]
    total = F.cross_entropy(p.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@misconception(
    "detached",
    en="The value is right but no gradient reaches the logits: .item(), .detach() or no_grad cut the graph.",
    zh="数值是对的，但梯度传不到 logits：.item()、.detach() 或 no_grad 切断了计算图。",
    seen="a loss rebuilt with torch.tensor(...) from Python numbers",
    variants=("shifted",),
)
def detached(logits, labels, ignore_index=-100):
    logits, labels = logits[:, :-1].float(), labels[:, 1:]
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return torch.tensor(total.item() / max(int((labels != ignore_index).sum()), 1))


@misconception(
    "detached",
    en="The value is right but no gradient reaches the logits: .item(), .detach() or no_grad cut the graph.",
    zh="数值是对的，但梯度传不到 logits：.item()、.detach() 或 no_grad 切断了计算图。",
    seen="a loss rebuilt with torch.tensor(...) from Python numbers",
    variants=("aligned",),
)
def detached_aligned(logits, labels, ignore_index=-100):
    total = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=ignore_index, reduction="sum")
    return torch.tensor(total.item() / max(int((labels != ignore_index).sum()), 1))


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent(
    "pads-labels", why="shifts by padding the labels with ignore_index, as transformers does", variants=("shifted",)
)
def pads_labels(logits, labels, ignore_index=-100):
    labels = F.pad(labels, (0, 1), value=ignore_index)[:, 1:].flatten()
    total = F.cross_entropy(logits.float().flatten(0, 1), labels, ignore_index=ignore_index, reduction="sum")
    return total / (labels != ignore_index).sum().clamp(min=1)


@equivalent("selects-first", why="selects the counted tokens before it computes anything", variants=("shifted",))
def selects_first(logits, labels, ignore_index=-100):
    counted = labels[:, 1:] != ignore_index
    kept, wanted = logits[:, :-1][counted].float(), labels[:, 1:][counted]
    if wanted.numel() == 0:
        return kept.sum()
    return F.nll_loss(kept.log_softmax(-1), wanted)


@equivalent("loop", why="a loop over tokens in float64", variants=("shifted",))
def loop(logits, labels, ignore_index=-100):
    losses = []
    for b in range(labels.shape[0]):
        for t in range(labels.shape[1] - 1):
            label = int(labels[b, t + 1])
            if label != ignore_index:
                losses.append(torch.logsumexp(logits[b, t].double(), 0) - logits[b, t, label].double())
    return (torch.stack(losses).mean() if losses else logits.double().sum() * 0).float()


@equivalent("one-hot", why="a product with one-hot labels instead of gather", variants=("aligned",))
def one_hot(logits, labels, ignore_index=-100):
    counted = labels != ignore_index
    hot = F.one_hot(labels.masked_fill(~counted, 0), logits.shape[-1]) * counted.unsqueeze(-1)
    return -(logits.float().log_softmax(-1) * hot).sum() / counted.sum().clamp(min=1)


@equivalent("zero-where-nan", why="F.cross_entropy, and 0 where nothing counts", variants=("aligned",))
def zero_where_nan(logits, labels, ignore_index=-100):
    if bool((labels == ignore_index).all()):
        return logits.float().sum() * 0.0
    return F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=ignore_index)


@equivalent("by-hand", why="takes the maximum out by hand, in float64", variants=("aligned",))
def by_hand(logits, labels, ignore_index=-100):
    wide = logits.double()
    wide = wide - wide.amax(-1, keepdim=True)
    counted = labels != ignore_index
    picked = wide.gather(-1, labels.masked_fill(~counted, 0).unsqueeze(-1)).squeeze(-1)
    losses = (wide.exp().sum(-1).log() - picked)[counted]
    return (losses.sum() / max(losses.numel(), 1)).float()


# Peer -------------------------------------------------------------------------------------------------------------


@peer("torch", skips={"all-ignored": "returns NaN", "one-token": "returns NaN"}, variants=("shifted",))
def torch_shifted(logits, labels, ignore_index=-100):
    wide = logits[:, :-1].float().transpose(1, 2)  # (B, V, T − 1), as torch wants it
    return F.cross_entropy(wide, labels[:, 1:], ignore_index=ignore_index)


@peer("torch", skips={"all-ignored": "returns NaN"}, variants=("aligned",))
def torch_aligned(logits, labels, ignore_index=-100):
    return F.cross_entropy(logits.float().transpose(1, 2), labels, ignore_index=ignore_index)
