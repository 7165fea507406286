"""A class: many people's files graded in one run, and a report of who made which mistake.

From the top: `run` → `local`, `cluster` → `worker` → `task` → `work`, and `page` → `tables` → `submissions`.
Nobody's code runs in any of these processes: `llmdrills.grading` forks new ones for each file.
"""
