"""A process that holds a collection as a running Anki does, and answers cards until its input ends.

    python tests/helpers/busy_anki.py COLLECTION

It prints `open`, then after every card how many answers it has given.
"""

from __future__ import annotations

import sys
import threading

from anki.collection import Collection
from anki.scheduler.v3 import CardAnswer


def main() -> None:
    col = Collection(sys.argv[1])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    count = 0
    print("open", flush=True)
    while not ended.is_set():
        for card_id in col.find_cards(""):
            card = col.get_card(card_id)
            card.start_timer()
            states = col._backend.get_scheduling_states(card_id)
            col.sched.answer_card(col.sched.build_answer(card=card, states=states, rating=CardAnswer.GOOD))
            count += 1
            print(count, flush=True)
            if ended.is_set():
                break
    col.close()


if __name__ == "__main__":
    main()
