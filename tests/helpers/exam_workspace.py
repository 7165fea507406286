"""A small workspace with all that an exam asks: two questions of a course, a kata, a design question, a checklist."""

from __future__ import annotations

import shutil
from pathlib import Path

KATA = "rms-norm"  # quick, and it requires no other kata

_CONCEPTS = """\
deck: concepts
title: {en: Concepts, zh: 概念}
description: {en: Two questions., zh: 两道题。}
notes:
  - id: scale
    type: checklist
    topic: transformer
    tags: ["llmdrills::course::q1"]
    front: {en: "Why divide by $\\\\sqrt{d_k}$?", zh: "为什么除以 $\\\\sqrt{d_k}$？"}
    items:
      - {en: The variance of a score is d_k., zh: 分数的方差是 d_k。}
      - {en: The softmax saturates without it., zh: 不除的话 softmax 会饱和。}
    sources: [{title: "Vaswani et al. 2017", url: "https://arxiv.org/abs/1706.03762"}]
    proves: [ready-transformer-components]
  - id: norm
    type: question
    topic: transformer
    tags: ["llmdrills::course::q2", "llmdrills::course::t1"]
    front: {en: Which statistic does RMSNorm leave out?, zh: RMSNorm 去掉了哪个统计量？}
    back: {en: The mean., zh: 均值。}
    sources: [{title: "Zhang and Sennrich 2019", url: "https://arxiv.org/abs/1910.07467"}]
    proves: [ready-moe]
    kata: rms-norm
"""
_DESIGN = """\
deck: design
title: {en: Design, zh: 设计}
description: {en: One design question., zh: 一道设计题。}
notes:
  - id: serve
    type: checklist
    topic: systems
    tags: ["llmdrills::course::d1"]
    front: {en: Serve 100K tokens. Which techniques?, zh: 支持 10 万 token，采用哪些技术？}
    items:
      - {en: FlashAttention — the matrix can't be stored., zh: FlashAttention：矩阵存不下。}
      - {en: PagedAttention — little of the cache is wasted., zh: PagedAttention：缓存浪费很少。}
    sources: [{title: "Dao et al. 2022", url: "https://arxiv.org/abs/2205.14135"}]
"""
_READINESS = """\
deck: readiness
title: {en: Readiness, zh: 自查}
description: {en: Two items., zh: 两项。}
notes:
  - id: ready-transformer-components
    type: checklist
    topic: transformer
    front: {en: Explain each component., zh: 解释每个组件。}
    items: [{en: norm, zh: 归一化}, {en: attention, zh: 注意力}]
    sources: [{title: "Vaswani et al. 2017", url: "https://arxiv.org/abs/1706.03762"}]
  - id: ready-moe
    type: checklist
    topic: transformer
    front: {en: Explain mixtures of experts., zh: 解释混合专家。}
    items: [{en: router, zh: 路由}, {en: experts, zh: 专家}]
    sources: [{title: "Shazeer et al. 2017", url: "https://arxiv.org/abs/1701.06538"}]
"""


def make_exam_workspace(folder: Path, root: Path) -> Path:
    """Write it; `root` is the checkout, which the kata is taken from."""
    shutil.copytree(root / "drills" / KATA, folder / "drills" / KATA)
    (folder / "decks").mkdir()
    for name, text in (("concepts", _CONCEPTS), ("design", _DESIGN), ("readiness", _READINESS)):
        (folder / "decks" / f"{name}.yaml").write_text(text)
    return folder
