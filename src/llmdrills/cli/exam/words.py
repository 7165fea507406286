"""What the exam says, in both languages."""

from __future__ import annotations

from llmdrills.language import Bilingual

__all__ = ["HELP_KATA", "HELP_NOTE", "WORDS"]

WORDS: dict[str, Bilingual] = {
    # --- beginning and going on
    "begin": Bilingual(
        "Exam: {questions}, {katas} and {designs} in {minutes} min (seed {seed}).",
        "考试：{questions}、{katas}、{designs}，限时 {minutes} 分钟（种子 {seed}）。",
    ),
    "rules": Bilingual(
        "There are no hints, and no kata is explained before the report at the end. q breaks off: the clock stops, and "
        "`llmdrills exam` goes on.",
        "考试中没有提示，练习错在哪里要到最后的报告里才解释。按 q 暂停：停止计时，再运行 `llmdrills exam` 即可继续。",
    ),
    "go_on": Bilingual(
        "The exam begun on {day} goes on: {left} of {minutes} min left.",
        "继续 {day} 开始的考试：共 {minutes} 分钟，还剩 {left} 分钟。",
    ),
    "no_notes": Bilingual(
        "No note of this workspace is tagged {tag}q1 …: there are no concept questions.",
        "此工作区没有带 {tag}q1 等标签的笔记，因此没有概念题。",
    ),
    "left_out": Bilingual(
        "Left out, because you are in the middle of it: {katas}.", "以下练习正在进行中，不在本次考试之列：{katas}。"
    ),
    "gone": Bilingual("{id} is no longer in the workspace: it is not asked.", "{id} 已不在工作区中：不再考这一题。"),
    # --- questions
    "head": Bilingual("{number}/{count} · {part}", "{number}/{count} · {part}"),
    "in_full": Bilingual("{part}, in full ({atoms} points)", "{part}（完整作答，共 {atoms} 点）"),
    "answer_keys": Bilingual(
        "Enter answer · t type · n later · q break off · ? keys",
        "Enter 看答案 · t 输入作答 · n 稍后 · q 暂停 · ? 按键",
    ),
    "answer_keys_short": Bilingual("Enter answer · ? keys", "Enter 看答案 · ? 按键"),
    "number": Bilingual(
        "Fresh numbers: t types your answer, which is judged ({tolerance}).",
        "数值为新抽取：按 t 输入答案，由程序判定（{tolerance}）。",
    ),
    "your_answer": Bilingual("Your answer: {typed}", "你的回答：{typed}"),
    "answer": Bilingual("Answer", "答案"),
    "point": Bilingual("{number}/{count} {text}", "{number}/{count} {text}"),
    "mark_keys": Bilingual(
        "Had it? y yes · n no · u back · q break off · ? keys",
        "答到了吗？y 答到 · n 没有 · u 撤回 · q 暂停 · ? 按键",
    ),
    "mark_keys_short": Bilingual("Had it? y · n · ? keys", "答到了吗？y · n · ? 按键"),
    "had": Bilingual("  ✓ had it", "  ✓ 答到了"),
    "missed": Bilingual("  ✗ missing", "  ✗ 没有答到"),
    "unmarked": Bilingual("The last mark is taken back.", "已撤回上一个标记。"),
    # --- katas
    "no_help": Bilingual(
        "Not in an exam: hints, solutions and explanations come after its end.",
        "考试中不可用：提示、答案和讲解要等考试结束之后。",
    ),
    "kata_keys": Bilingual(
        "{doing} · e editor · n later · q break off · ? keys", "{doing} · e 编辑器 · n 稍后 · q 暂停 · ? 按键"
    ),
    "kata_keys_short": Bilingual("{doing} · ? keys", "{doing} · ? 按键"),
    "not_passed": Bilingual(
        "✗ Not passed yet. What is wrong is told at the end of the exam.", "✗ 尚未通过。考试结束时再说明错在哪里。"
    ),
    "passed": Bilingual("✓ Passed.", "✓ 通过。"),
    "take_back": Bilingual("`llmdrills undo` takes the rating back.", "运行 `llmdrills undo` 可以撤销评级。"),
    # --- leaving
    "sure_end": Bilingual(
        "Press x again to end the exam now: what is open counts as not reached.",
        "再按一次 x 即结束考试：尚未完成的题目记为未做到。",
    ),
    "last_open": Bilingual(
        "This is the last one that is open; x ends the exam.", "这是最后一道未完成的题；按 x 结束考试。"
    ),
    "time_over": Bilingual("The time is over.", "时间到。"),
    "broken_off": Bilingual(
        "Broken off; nothing is lost, and the clock stands still. `llmdrills exam` goes on here.",
        "已暂停：进度全部保存，计时停止。运行 `llmdrills exam` 即可继续。",
    ),
    # --- clock
    "minutes_left": Bilingual("{minutes} min", "{minutes} 分钟"),
}

HELP_NOTE = Bilingual(
    "Enter show the answer · t type an answer first (Enter ends it)\n"
    "y had this point · n missing (before the answer is shown: later) · u take the last mark back\n"
    "p question again · q break off · x end the exam",
    "Enter 看答案 · t 先输入作答（按 Enter 结束）\n"
    "y 答到了 · n 没有答到（看答案之前：稍后再答）· u 撤回上一个标记\n"
    "p 重看题目 · q 暂停 · x 结束考试",
)

HELP_KATA = Bilingual(
    "g grade now · e editor · p prompt again · w write the file back\nn later · q break off · x end the exam",
    "g 立即评分 · e 编辑器 · p 重看题目 · w 写回文件\nn 稍后 · q 暂停 · x 结束考试",
)
