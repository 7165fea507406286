"""What the daily loop says, in both languages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdrills.language import Bilingual

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdrills.language import Language
    from llmdrills.practice.repetition import Choice

__all__ = ["HELP", "WORDS", "keys_of"]

WORDS: dict[str, Bilingual] = {
    "begin": Bilingual("Write {file}; every save is graded.", "编写 {file}，每次保存都会自动评分。"),
    "resumed": Bilingual("Back to where you were: {file}", "回到上次的位置：{file}"),
    "opened": Bilingual("opened with {editor}", "已用 {editor} 打开"),
    "no_editor": Bilingual(
        "Open it in your editor (set LLMDRILLS_EDITOR to have it opened for you).",
        "请在编辑器中打开它（设置 LLMDRILLS_EDITOR 后会自动打开）。",
    ),
    "terminal_editor": Bilingual(
        "{editor} needs a terminal of its own: open the file in another one, or press e to edit here.",
        "{editor} 需要独占终端：请在另一个终端中打开文件，或按 e 在此编辑。",
    ),
    "editor_failed": Bilingual(
        "The editor did not start: {what}. Open the file yourself, press e to try again, or run `llmdrills doctor`.",
        "编辑器没有启动：{what}。请自行打开文件，按 e 重试，或运行 `llmdrills doctor`。",
    ),
    "keys": Bilingual(
        "h hint {next}/{hints} · v why · s solution · d diff · k skip · q quit · ? all keys",
        "h 提示 {next}/{hints} · v 详情 · s 答案 · d 对比 · k 跳过 · q 退出 · ? 全部按键",
    ),
    "waiting": Bilingual("waiting for a save", "等待保存"),
    "grading": Bilingual("grading…", "评分中…"),
    "warming": Bilingual("starting the grader…", "正在启动评分服务…"),
    "hint": Bilingual("Hint {number}/{count}", "提示 {number}/{count}"),
    "hint_costs": Bilingual(
        "With a hint, this repetition is rated Hard at most.", "看过提示后，本次练习最高只能评为“困难”。"
    ),
    "no_more_hints": Bilingual("That was the last hint; s shows the solution.", "提示已经用完；按 s 查看答案。"),
    "nothing_more": Bilingual("There is no more to show of the last verdict.", "上一次的结果没有更多细节。"),
    "sure_solution": Bilingual(
        "Press {key} again to see it: this repetition then counts as Again.",
        "再按一次 {key} 即可查看：本次练习将记为“重来”。",
    ),
    "solution_seen": Bilingual(
        "Close it, and write it from memory. r rates this repetition (Again).",
        "看完后请凭记忆重写。按 r 为本次练习评级（重来）。",
    ),
    "no_difference": Bilingual("Your file says exactly what the reference says.", "你的文件与参考实现完全一致。"),
    "yours": Bilingual("yours", "你的代码"),
    "reference": Bilingual("reference", "参考实现"),
    "gone": Bilingual(
        "{file} is gone: save it again, or press w to have it written back.",
        "{file} 不见了：请重新保存，或按 w 写回。",
    ),
    "unreadable": Bilingual("cannot read {file}: {why}", "无法读取 {file}：{why}"),
    "written": Bilingual("{file} is written again.", "已重新写入 {file}。"),
    "choose": Bilingual("How did it go? It comes back on:", "掌握得怎么样？下次复习日期："),
    "derived": Bilingual("← Enter: {reason}", "← Enter：{reason}"),
    "rating_keys": Bilingual(
        "Enter {rating} · {keys} lower · c compare with the reference · q quit",
        "Enter {rating} · {keys} 降级 · c 与参考实现并排 · q 退出",
    ),
    "rating_key": Bilingual(
        "Enter {rating} · c compare with the reference · q quit", "Enter {rating} · c 与参考实现并排 · q 退出"
    ),
    "unrated_keys": Bilingual("Enter next · c compare · q quit", "Enter 下一个 · c 并排对比 · q 退出"),
    "after_keys": Bilingual(
        "Enter next · c compare · u undo the rating · q quit", "Enter 下一个 · c 并排对比 · u 撤销评级 · q 退出"
    ),
    "undone": Bilingual("Undone: {what}.", "已撤销：{what}。"),
    "sure_undo": Bilingual("Press u again to undo {what}.", "再按一次 u 即可撤销{what}。"),
    "sure_undo_same": Bilingual(
        "Press u again to undo {what}: that repetition is then open in the place of this one, which goes unrated.",
        "再按一次 u 即可撤销{what}：那次练习将取代当前这次，当前这次不再评级。",
    ),
    "nothing_to_undo": Bilingual("There is no rating and no skip to undo.", "没有可以撤销的评级或跳过。"),
    "sure_skip": Bilingual(
        "Press k again to skip {kata}: its {runs} then count for no rating.",
        "再按一次 k 即可跳过 {kata}：已评分的 {count} 次运行将不计入评级。",
    ),
    "sure_skip_seen": Bilingual(
        "Press k again to skip {kata}: it counts as Again now, and would not be rated.",
        "再按一次 k 即可跳过 {kata}：它现在记为“重来”，跳过后不会评级。",
    ),
    "not_rateable": Bilingual(
        "Not passed yet: pass it, look at the solution (s), or skip it (k).",
        "尚未通过：请先通过、查看答案（s）或跳过（k）。",
    ),
    "easier": Bilingual(
        "{kata} ({variant}) is passed. It is an easier form: it is not rated, and the schedule stays as it is.",
        "{kata}（{variant}）已通过。这是较容易的形式：不评级，也不改变复习安排。",
    ),
    "repair_begin": Bilingual(
        "Repair {file}: it runs, and one thing in it is wrong; every save is graded. It is not rated.",
        "修复 {file}：代码能运行，但有一处错误；每次保存都会自动评分。不评级。",
    ),
    "repaired": Bilingual(
        "{mistake}\nA repair needs no rating: the schedule stays as it is.",
        "{mistake}\n修复练习无需评级，也不改变复习安排。",
    ),
    "repair_skipped": Bilingual(
        "The repair of {kata} is skipped; u, or `llmdrills undo`, takes it back.",
        "已跳过 {kata} 的修复练习；按 u 或运行 `llmdrills undo` 可以撤销。",
    ),
    "repair_keys": Bilingual("b repair {kata} · Enter end", "b 修复 {kata} · Enter 结束"),
    "skipped": Bilingual(
        "{kata} is skipped for today; u, or `llmdrills undo`, takes it back.",
        "今天跳过 {kata}；按 u 或运行 `llmdrills undo` 可以撤销。",
    ),
    "done": Bilingual(
        "Done for today: {katas} rated, {minutes} min.", "今天的练习已完成：评级 {katas}，共 {minutes} 分钟。"
    ),
    "quit": Bilingual(
        "Nothing is lost: `llmdrills today` goes on here.", "进度已保存：运行 `llmdrills today` 即可继续。"
    ),
    "grader_failed": Bilingual(
        "the grader failed: {error}. Save again or press g to try again.",
        "评分服务出错：{error}。再次保存或按 g 重试。",
    ),
}

HELP = Bilingual(
    "h next hint (then Hard at most) · H all hints so far\n"
    "s solution · d diff with the reference · c reference beside yours (before a pass: Again)\n"
    "g grade now · v the last verdict in full · e editor · p prompt again · w write the file back\n"
    "r rate · k skip · u undo the last rating or skip · q quit",
    "h 下一条提示（最高评为“困难”）· H 已看过的提示\n"
    "s 答案 · d 与参考实现的差异 · c 与参考实现并排（通过前查看：重来）\n"
    "g 立即评分 · v 上次结果的全部细节 · e 编辑器 · p 重看题目 · w 写回文件\n"
    "r 评级 · k 跳过 · u 撤销上次评级或跳过 · q 退出",
)


def keys_of(choices: Sequence[Choice], language: Language) -> str:
    """The line of keys while a rating is asked for; `choices` are not empty, the last is what was earned."""
    *others, derived = choices
    label = derived.rating.label[language]
    lower = [str(int(choice.rating)) for choice in others]
    if not lower:
        return WORDS["rating_key"].format(rating=label)[language]
    keys = f"{lower[0]}–{lower[-1]}" if len(lower) > 1 else lower[0]
    return WORDS["rating_keys"].format(rating=label, keys=keys)[language]
