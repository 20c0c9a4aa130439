"""Which policy is in force, and since when its limits count (FORMAT.md, sections 20 and 21)."""

from __future__ import annotations

from dataclasses import dataclass

from policy import Limit, Policy


@dataclass(frozen=True)
class Started:
    """A limit in force, and the first and the last row that may have set it.

    The two differ where a policy between them is closed.
    """

    limit: Limit
    earliest: int
    latest: int


@dataclass(frozen=True)
class Standing:
    """The policy in force at a row; None stands for what is not known."""

    policy: Policy | None = None
    row: int | None = 0
    limits: tuple[Started, ...] = ()

    def followed_by(self, policy: Policy | None, row: int) -> Standing:
        """What is in force behind a row that sets a policy, which is None where it is closed."""
        if policy is None:
            return Standing(None, row)
        before = {started.limit.identity: started for started in self.limits}
        limits = []
        for limit in policy.limits:
            old = before.get(limit.identity)
            if old is not None:
                limits.append(Started(limit, old.earliest, old.latest))
            else:
                limits.append(Started(limit, row if self.policy or row == 0 else 0, row))
        return Standing(policy, row, tuple(limits))

    def lost(self) -> Standing:
        """What is in force behind rows that were not read: any of them may have set a policy."""
        return Standing(None, None)
