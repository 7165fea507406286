"""The words that templates and reports put around a note's own text, in both languages."""

from __future__ import annotations

from llmdrills.language import Bilingual

__all__ = ["LABELS", "TOPIC_LABELS", "tolerance_text", "topic_label"]

LABELS: dict[str, Bilingual] = {
    "answer": Bilingual("Answer", "答案"),
    "bug": Bilingual("Spot the bug", "找出错误"),
    "checklist": Bilingual("Recall each item, then open it", "先回忆每一项，再点开核对"),
    "cloze": Bilingual("Fill in", "填空"),
    "item": Bilingual("Item {n}", "第 {n} 项"),
    "kata": Bilingual("Kata: ", "编码练习："),
    "number": Bilingual("Type a number", "输入数值"),
    "question": Bilingual("Question", "问题"),
    "source": Bilingual("Sources: ", "来源："),
    "tolerance": Bilingual("Tolerance: ", "允许误差："),
    "unit": Bilingual("Unit: ", "单位："),
}

TOPIC_LABELS: dict[str, Bilingual] = {
    "transformer": Bilingual("Transformer", "Transformer"),
    "position": Bilingual("Positions", "位置编码"),
    "architecture": Bilingual("Architectures", "模型架构"),
    "optimisation": Bilingual("Optimisation", "优化"),
    "tokenization": Bilingual("Tokenization", "分词"),
    "generation": Bilingual("Generation", "文本生成"),
    "systems": Bilingual("Systems", "系统"),
    "retrieval": Bilingual("Retrieval", "检索"),
    "multimodal": Bilingual("Multimodality", "多模态"),
    "training": Bilingual("Training", "训练"),
    "evaluation": Bilingual("Evaluation", "评测"),
}


def topic_label(topic: str, own: Bilingual | None = None) -> Bilingual:
    """The title of a topic: a workspace's own, or one of ours; the name itself where there is neither."""
    return own or TOPIC_LABELS.get(topic) or Bilingual(topic, topic)


def tolerance_text(tolerance: str) -> Bilingual:
    """What "1%", "0.5" or "exact" means, for a reader."""
    if tolerance == "exact":
        return Bilingual("exact", "需精确")
    shown = tolerance.replace("%", " %")
    return Bilingual(f"within {shown}", f"误差不超过 {shown}")
