"""What the page says, in both languages. The page asks for all of them; `TOLD` are those that only the server says."""

from __future__ import annotations

from llmdrills.language import Bilingual

__all__ = ["TOLD", "WORDS"]

WORDS: dict[str, Bilingual] = {
    # --- around everything
    "today": Bilingual("Today", "今天"),
    "katas": Bilingual("Katas", "练习"),
    "exam": Bilingual("Exam", "考试"),
    "stats": Bilingual("Stats", "统计"),
    "readiness": Bilingual("Readiness", "达标自查"),
    "skip_link": Bilingual("Skip to the content", "跳到正文"),
    "pages": Bilingual("Pages", "页面"),
    "language": Bilingual("中文", "English"),
    "language_label": Bilingual("Show everything in Chinese", "界面切换为英文"),
    "loading": Bilingual("Loading…", "正在加载…"),
    "lost": Bilingual(
        "The server is gone: run `llmdrills web` again. What was saved is not lost.",
        "服务器已停止：请重新运行 `llmdrills web`。已保存的内容不会丢失。",
    ),
    "failed": Bilingual("That did not work: {why}", "操作失败：{why}"),
    "yes": Bilingual("Do it", "确定"),
    "no": Bilingual("Cancel", "取消"),
    "close": Bilingual("Close", "关闭"),
    "gone_page": Bilingual("There is no such page.", "没有这个页面。"),
    "failed_page": Bilingual("This could not be shown.", "无法显示此页。"),
    "again": Bilingual("Try again", "重试"),
    # --- the plan
    "min": Bilingual("{minutes} min", "{minutes} 分钟"),
    "start": Bilingual("Start", "开始"),
    "go_on": Bilingual("Go on", "继续"),
    "start_label": Bilingual("Start {kata}", "开始 {kata}"),
    "go_on_label": Bilingual("Go on with {kata}", "继续 {kata}"),
    "search": Bilingual("In Anki, search:", "在 Anki 中搜索："),
    "aside": Bilingual("Set aside", "暂停的练习"),
    "aside_until": Bilingual("until {until}", "暂停到 {until}"),
    "repair": Bilingual("If you like: a repair", "可选：修复练习"),
    "repair_about": Bilingual("One known mistake to find; it is not rated.", "找出一处已知错误；不评级。"),
    "repair_start": Bilingual("Repair", "修复"),
    "more": Bilingual("More today?", "还想练？"),
    "next_due": Bilingual("The next kata is due on {day}.", "下一个练习 {day} 到期。"),
    "undo_step": Bilingual("Undo {what}", "撤销 {what}"),
    # --- the katas
    "all_katas": Bilingual("All katas", "全部练习"),
    "cards": Bilingual("Cards", "卡片"),
    "cards_label": Bilingual("Cards of {kata}", "{kata} 的卡片"),
    "variant_label": Bilingual("Start {kata}, variant {variant}", "开始 {kata} 的变体 {variant}"),
    "filter": Bilingual("Find a kata", "查找练习"),
    "none_found": Bilingual("No kata is called so.", "没有找到这样的练习。"),
    # --- the cards
    "cards_of": Bilingual("Cards: {title}", "卡片：{title}"),
    "no_cards": Bilingual("No card belongs to this kata.", "没有属于这道题的卡片。"),
    "front": Bilingual("Front", "正面"),
    "back": Bilingual("Back", "背面"),
    "show_back": Bilingual("Show the back", "显示背面"),
    "practise": Bilingual("Practise this kata", "练习这道题"),
    # --- a kata
    "task": Bilingual("Task", "题目"),
    "attempt": Bilingual("Your code", "你的代码"),
    "editor": Bilingual(
        "Python editor. Ctrl-S saves and grades. Escape, then Tab, leaves the editor.",
        "Python 编辑器。按 Ctrl-S 保存并评分。按 Escape 再按 Tab 可离开编辑器。",
    ),
    "editor_keys": Bilingual(
        "Ctrl-S saves and grades · Escape, then Tab, leaves the editor",
        "Ctrl-S 保存并评分 · 先按 Escape 再按 Tab 离开编辑器",
    ),
    "grade": Bilingual("Save and grade", "保存并评分"),
    "grading": Bilingual("Grading…", "评分中…"),
    "warming": Bilingual("Grading… (the first time, torch has to start)", "评分中…（首次需要启动 torch）"),
    "ready": Bilingual("Not graded yet.", "尚未评分。"),
    "hint": Bilingual("Hint {number} of {count}", "提示 {number}/{count}"),
    "hint_next": Bilingual("Hint ({number}/{count})", "提示（{number}/{count}）"),
    "no_more_hints": Bilingual("No more hints", "没有更多提示"),
    "hints": Bilingual("Hints", "提示"),
    "solution": Bilingual("Solution", "答案"),
    "diff": Bilingual("Compare", "对比"),
    "skip": Bilingual("Skip", "跳过"),
    "rate": Bilingual("Rate", "评级"),
    "details": Bilingual("All details", "全部细节"),
    "verdict": Bilingual("Verdict", "评分结果"),
    "line": Bilingual("The verdict points at line {line}.", "结果指向第 {line} 行。"),
    "unsaved": Bilingual("not saved", "未保存"),
    "saved": Bilingual("saved", "已保存"),
    "yours": Bilingual("yours", "你的代码"),
    "reference": Bilingual("reference", "参考实现"),
    "compared": Bilingual("Yours and the reference", "你的代码与参考实现"),
    "same": Bilingual("Your file says exactly what the reference says.", "你的文件与参考实现完全一致。"),
    "only_yours": Bilingual("only in yours", "仅你的代码有"),
    "only_reference": Bilingual("only in the reference", "仅参考实现有"),
    "differs": Bilingual("differs", "不同"),
    "choose": Bilingual("How did it go? It comes back on:", "掌握得怎么样？下次复习日期："),
    "earned": Bilingual("earned: {reason}", "应得：{reason}"),
    "in_days": Bilingual("in {days}", "{days}后"),
    "next": Bilingual("Next", "下一个"),
    "to_plan": Bilingual("Back to today", "返回今天"),
    "undo": Bilingual("Undo the rating", "撤销评级"),
    "conflict": Bilingual(
        "The file was changed elsewhere, and nothing was overwritten.", "文件已在别处被修改，没有覆盖任何内容。"
    ),
    "conflict_gone": Bilingual("The file is gone from its folder.", "文件已不在原来的文件夹中。"),
    "conflict_theirs": Bilingual("Take the file's text", "采用文件中的内容"),
    "conflict_mine": Bilingual("Write my text over it", "用我的内容覆盖"),
    "conflict_note": Bilingual(
        "What you write over is kept in the history; Ctrl-Z brings your text back after you took the file's.",
        "被覆盖的内容会保存在历史记录中；采用文件内容后，按 Ctrl-Z 可恢复你的内容。",
    ),
    "took": Bilingual("The file was saved elsewhere: its text is shown now.", "文件已在别处保存：现在显示新的内容。"),
    # --- the exam
    "exam_about": Bilingual(
        "Concept questions, katas without help and a design question, against the clock. Nothing is explained before "
        "the report at the end.",
        "限时完成概念题、没有提示的编码练习和一道设计题。最后给出报告，之前不作任何讲解。",
    ),
    "exam_begin": Bilingual("Begin the exam", "开始考试"),
    "exam_resume": Bilingual("Go on with the exam", "继续考试"),
    "exam_minutes": Bilingual("Minutes", "分钟"),
    "exam_katas": Bilingual("Katas", "编码练习"),
    "exam_questions": Bilingual("Questions", "概念题"),
    "exam_listed": Bilingual("The course's own list, nothing drawn", "课程自带的题目，不抽题"),
    "exam_last": Bilingual("The last report", "上一次的报告"),
    "exam_left": Bilingual("{minutes} min left", "还剩 {minutes} 分钟"),
    "exam_number": Bilingual("{number} of {count}", "第 {number}/{count} 题"),
    "exam_draft": Bilingual("Your answer (optional)", "你的回答（可不填）"),
    "exam_reveal": Bilingual("Show the answer", "看答案"),
    "exam_answer": Bilingual("Answer", "答案"),
    "exam_had": Bilingual("Had it", "答到了"),
    "exam_missed": Bilingual("Missing", "没有答到"),
    "exam_back": Bilingual("Take the mark back", "撤回标记"),
    "exam_point": Bilingual("Point {number} of {count}", "第 {number}/{count} 点"),
    "exam_later": Bilingual("Later", "稍后"),
    "exam_next": Bilingual("Next", "下一题"),
    "exam_leave": Bilingual("Break off", "暂停"),
    "exam_end": Bilingual("End the exam", "结束考试"),
    "exam_sure_end": Bilingual(
        "End the exam now? What is open counts as not reached.", "现在结束考试？尚未完成的题目记为未做到。"
    ),
    "exam_over": Bilingual("The exam is over.", "考试结束。"),
    "exam_report": Bilingual("The whole report is a page, too:", "完整报告也保存为网页："),
    "exam_left_off": Bilingual(
        "Broken off; nothing is lost, and the clock stands still.", "已暂停：进度全部保存，计时停止。"
    ),
    # --- stats and readiness
    "stats_none": Bilingual("Nothing yet: begin with today's katas.", "还没有记录：从今天的练习开始。"),
}

TOLD: dict[str, Bilingual] = {
    "exam_rules": Bilingual(
        "There are no hints, and no kata is explained before the report at the end. After a break the exam goes on "
        "here, or with `llmdrills exam`.",
        "考试中没有提示，练习错在哪里要到最后的报告里才解释。暂停后可在这里继续，也可运行 `llmdrills exam` 继续。",
    ),
    "exam_part": Bilingual("{part} of the course", "课程{part}"),
    "resumed": Bilingual("Back to where you were: {file}", "回到上次的位置：{file}"),
    "begin": Bilingual("Write it here; it is saved in {file}", "在这里编写，内容保存在 {file}"),
    "repair_begin": Bilingual(
        "It runs, and one thing in it is wrong. It is not rated. It is saved in {file}",
        "代码能运行，但有一处错误。不评级。内容保存在 {file}",
    ),
    "easier_begin": Bilingual(
        "An easier form of {stronger}: it is graded, and not rated.", "{stronger} 的较容易形式：会评分，但不评级。"
    ),
    "write_it": Bilingual("Write the function, then save it.", "写完函数后保存。"),
    "sure_reveal": Bilingual(
        "Look at the solution? This repetition then counts as Again.", "现在看答案？本次练习将记为“重来”。"
    ),
    "seen": Bilingual(
        "Close it, and write it from memory. “Rate” rates this repetition (Again).",
        "看完后请凭记忆重写。点“评级”为本次练习评级（重来）。",
    ),
    "sure_skip": Bilingual(
        "Skip {kata}? Its {runs} then count for no rating.", "跳过 {kata}？已评分的 {count} 次运行将不计入评级。"
    ),
    "sure_skip_seen": Bilingual(
        "Skip {kata}? It counts as Again now, and would not be rated.",
        "跳过 {kata}？它现在记为“重来”，跳过后不会评级。",
    ),
    "sure_undo": Bilingual("Undo {what}?", "撤销{what}？"),
    "sure_undo_same": Bilingual(
        "Undo {what}? That repetition is then open in the place of this one, which goes unrated.",
        "撤销{what}？那次练习将取代当前这次，当前这次不再评级。",
    ),
    "skipped": Bilingual("{kata} is skipped for today.", "今天跳过 {kata}。"),
    "not_rateable": Bilingual(
        "Not passed yet: pass it, look at the solution, or skip it.", "尚未通过：请先通过、查看答案或跳过。"
    ),
    "no_repetition": Bilingual(
        "this repetition is not open here any more: go back to today, and open it again",
        "这次练习在此处已不再打开：请返回今天，重新打开",
    ),
    "other_open": Bilingual("{kata} ({variant}) is begun already", "{kata}（{variant}）已经开始"),
    "unreadable": Bilingual("cannot read {file}: {why}", "无法读取 {file}：{why}"),
    "make_readable": Bilingual("make it readable, then save again", "请使其可读，再保存一次"),
    "finish_it": Bilingual("finish or skip it first", "请先完成或跳过它"),
    "no_exam": Bilingual("no exam goes on here", "此处没有正在进行的考试"),
    "open_exam": Bilingual("open the page Exam", "请打开“考试”页面"),
    "bad_request": Bilingual("this request is not understood: {what}", "无法理解此请求：{what}"),
    "reload": Bilingual("reload the page", "请刷新页面"),
    "internal": Bilingual(
        "internal error: {what}; reload the page, and report it with the output of `llmdrills doctor`",
        "内部错误：{what}；请刷新页面，并附上 `llmdrills doctor` 的输出报告此问题",
    ),
    "too_long": Bilingual("that is more than {most} bytes", "内容超过 {most} 字节"),
    "not_here": Bilingual("there is nothing at this address", "此地址没有内容"),
    "entered": Bilingual("Opening…", "正在打开…"),
}
