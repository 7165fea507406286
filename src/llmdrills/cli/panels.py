"""The commands as `llmdrills --help` shows them: in panels, what a learner needs every day first.

A command that stands here is shown once it is a command (`COMMANDS`); `SUMMARIES` keeps its line short enough for 80
columns in both languages.
"""

from __future__ import annotations

from llmdrills.language import Bilingual

__all__ = ["MOST_DAILY", "PANELS", "POINTER", "SUMMARIES"]

MOST_DAILY = 8
"""So many commands at most in the first panel: more are not read."""

POINTER = Bilingual(
    "`llmdrills today` shows what is due today and practises it, one kata at a time.\n"
    "`llmdrills --help` lists all commands.",
    "运行 `llmdrills today` 查看今天到期的练习，并逐个完成。\n运行 `llmdrills --help` 查看全部命令。",
)
"""What `llmdrills` alone says."""

PANELS: tuple[tuple[Bilingual, tuple[str, ...]], ...] = (
    (Bilingual("Practise", "练习"), ("today", "web", "exam", "start", "grade", "rate", "hint", "solution")),
    (
        Bilingual("Look up and set up", "查询与设置"),
        (
            *("list", "show", "skip", "undo", "stats", "report", "readiness", "history"),
            *("optimize", "config", "doctor", "paths", "update", "ask", "play"),
        ),
    ),
    (Bilingual("Author", "编写内容"), ("check", "new", "init", "import", "preview", "retire", "packs")),
    (Bilingual("Anki", "Anki"), ("build", "anki")),
    (Bilingual("Class", "课堂"), ("grade-all",)),
)

SUMMARIES: dict[str, Bilingual] = {
    "today": Bilingual("Practise what is due today.", "完成今天到期的练习。"),
    "web": Bilingual("Practise in the browser.", "在浏览器中练习。"),
    "exam": Bilingual("Take a timed exam: questions, katas, one design.", "限时考试：概念题、编码练习和一道设计题。"),
    "ask": Bilingual("Ask for numbers, fresh ones each time.", "数值题：每次抽取新的数值。"),
    "start": Bilingual("Begin a kata: write its starter, print its path.", "开始一个练习：写出起始文件并打印其路径。"),
    "grade": Bilingual("Grade your file against the kata's reference.", "对照练习的参考实现，给你的文件评分。"),
    "rate": Bilingual("Rate a kata that you passed, for the schedule.", "为已通过的练习评级，并安排下次复习。"),
    "undo": Bilingual("Take back the last rating or skip.", "撤销上一次评级或跳过。"),
    "hint": Bilingual("Show a hint; the rating is then Hard at most.", "查看提示；之后最高只能评为“困难”。"),
    "solution": Bilingual("Show the reference; it then counts as Again.", "查看参考实现；之后记为“重来”。"),
    "list": Bilingual("List the katas.", "列出全部练习。"),
    "show": Bilingual("Show a kata's task and contract.", "查看练习的题目和约定。"),
    "skip": Bilingual("Leave a kata out of today's plan.", "今天跳过一个练习。"),
    "stats": Bilingual("What you did, remember, and what falls due.", "练习统计、记忆情况和到期安排。"),
    "report": Bilingual("Write a page with your figures.", "生成一页统计报告。"),
    "readiness": Bilingual("Answer the readiness checklist from evidence.", "用练习记录回答达标自查清单。"),
    "history": Bilingual("Past attempts; export, import, restore.", "以往的提交；导出、导入与恢复。"),
    "optimize": Bilingual("Fit the schedule to your own memory.", "按你的记忆拟合复习安排。"),
    "config": Bilingual("Show and change the settings.", "查看和修改设置。"),
    "doctor": Bilingual("Check this installation.", "检查安装是否正常。"),
    "paths": Bilingual("Show where files are kept.", "显示各类文件的存放位置。"),
    "play": Bilingual("Run a small model with your kernels in it.", "把你的实现装进一个小模型运行。"),
    "packs": Bilingual("Allow or refuse installed content packs.", "允许或停用已安装的内容包。"),
    "check": Bilingual("Check notes and katas, and prove the graders.", "检查笔记和练习，并验证评分器。"),
    "new": Bilingual("Begin a note, a deck or a kata.", "新建笔记、牌组或练习。"),
    "init": Bilingual("Copy the decks and drills, to edit them.", "复制一份牌组和练习，以便修改。"),
    "import": Bilingual("Import a deck of Anki's, a table or Markdown.", "导入 Anki 牌组包、表格或 Markdown。"),
    "preview": Bilingual("Show the cards in a browser.", "在浏览器中预览卡片。"),
    "retire": Bilingual("Retire a note without losing reviews.", "停用一条笔记，不丢失复习记录。"),
    "anki": Bilingual("Reviews and edits back; new packages in.", "带回复习和修改，导入新的牌组包。"),
    "grade-all": Bilingual("Grade a class, and report its mistakes.", "给全班评分，并汇总常见错误。"),
    "build": Bilingual("Build the packages to import into Anki.", "构建可导入 Anki 的牌组包。"),
}
"""A line each; a command without one shows the first sentence of its help."""
