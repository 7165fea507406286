"""What the learner did, what follows from it, and what today holds. Knows nothing of tensors, nor of how grading works.

moments     when something happened, and to which day it belongs
schema      the tables of the history, and the steps from one version to the next
history     the append-only record: open, append, read
salvage     what can still be read of a damaged database
exchange    export and import, so that two machines' histories merge
memory      FSRS's forgetting curve, as published
replay      reviews folded, in order, into what is remembered of each kata; kept in snapshots
schedule    chance of recall now, due days, next dates for each rating
evidence    which recorded diagnoses count, and which passes were clean
rating      the rating that the recorded events imply
rotation    which variants of a kata take turns, and which are easier forms
agenda      what a plan is made of
plan        what today holds, and why
unfinished  repetitions begun and not brought to an end
repetition  one repetition of one kata: its states, resumable at any point
            repetition_record: what the history holds of it; attempt_file: the learner's file
stats       figures worth looking at; report draws them on a page
optimize    FSRS's parameters fitted to this learner; fitting does it, in a process of its own
"""
