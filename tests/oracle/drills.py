"""Recovery drills: whether a class of reversibility is proven (FORMAT.md, section 20).

Drills of the kill switch are another thing: `switch.py` has them.
"""

from __future__ import annotations

import kinds
from bodies import DRILLED, Reading
from entry import Entry
from history import History, applied
from number import Number
from row import CLASS_NAMES, Unknown


def is_proven(rank: int, begin: int, entry: Entry, history: History) -> bool:
    """Whether the newest drill of a class passed, and landed no earlier than `begin`.

    What cannot be seen may be that drill; when it landed too early, that would not matter.
    """
    answers: set[bool] = set()
    behind = entry.landing.landed_at
    for other in reversed(history.rows):
        if other is None:
            # Whatever stood here landed no later than the row behind it.
            answers |= {False, behind >= begin}
            continue
        behind = other.landing.landed_at
        if not applied(other, kinds.READING):
            continue
        reading = other.row.body
        if not isinstance(reading, Reading):
            answers |= {False, behind >= begin}
        elif reading.metric == DRILLED + CLASS_NAMES[rank]:
            answers.add(reading.value == Number(1) and behind >= begin)
            break
    else:
        answers.add(False)
    if len(answers) > 1:
        raise Unknown("whether a recovery drill has passed lately is not known")
    return answers.pop()
