"""Holds the layouts of policies and bodies against near misses (V02)."""

from __future__ import annotations

import unittest

import bodies
import encoding
import forge
import kinds
import parts
import policy
from slot import Slot


def refused(kind: int, body: bytes) -> bool:
    """Whether a body is refused."""
    try:
        bodies.read_body(kind, body)
    except encoding.Malformed:
        return True
    return False


class Policies(unittest.TestCase):
    """Policies, alone in a body."""

    def check(self, accepted: bool, **fields: object) -> None:
        """Checks that a policy is accepted, or not."""
        body = forge.policy(**fields)  # type: ignore[arg-type]
        self.assertEqual(refused(kinds.POLICY, body), not accepted, fields)

    def test_writers(self) -> None:
        """Nobody can be locked out of what governs, and ledger and auditor write nothing."""
        self.check(True, writers=[(kinds.KEY, 0x09), (kinds.DECISION, 0x02), (kinds.REVIEW, 0x11)])
        self.check(True, writers=[(kinds.KILL_SWITCH, 0x01), (kinds.ROLLBACK_ROW, 0x10)])
        for writer in (
            (kinds.GENESIS, 0x01), (kinds.KEY, 0x08), (kinds.POLICY, 0x10), (kinds.ERASURE, 0x1E),
            (kinds.ROLLBACK_ROW, 0x08), (kinds.KILL_SWITCH, 0x04), (kinds.REVIEW, 0x02),
            (kinds.DECISION, 0x00), (kinds.DECISION, 0x28), (kinds.DECISION, 0x48),
            (kinds.DECISION, 0x88), (12, 0x08), (kinds.SNAPSHOT, 0x11),
        ):  # fmt: skip
            self.check(False, writers=[writer])
        self.check(False, writers=[(3, 0x08), (3, 0x08)])
        self.check(False, writers=[(4, 0x08), (3, 0x08)])

    def test_rules(self) -> None:
        """Rules ascend by their pattern, their metrics by name."""
        rule, metric = forge.rule, forge.metric
        floor = forge.number(5, 38)
        self.check(True, rules=[rule("a"), rule("a*"), rule("b", metrics=[metric("m", floor)])])
        self.check(True, rules=[rule("a", floor=1_000_000, tier=3, reach=4)])
        self.check(False, rules=[rule("a*"), rule("a")])
        self.check(False, rules=[rule("a"), rule("a")])
        self.check(False, rules=[rule("a*b")])
        self.check(False, rules=[rule("")])
        self.check(False, rules=[rule("a", tier=4)])
        self.check(False, rules=[rule("a", reach=5)])
        self.check(False, rules=[rule("a", floor=1_000_001)])
        self.check(True, rules=[rule("a", proven=1)])
        self.check(False, rules=[rule("a", proven=0)])
        self.check(False, rules=[rule("a", proven=-1)])
        self.check(False, rules=[rule("a", metrics=[metric("m", None), metric("m", floor)])])
        self.check(False, rules=[rule("a", metrics=[metric("m", forge.number(5, 39))])])

    def test_lifecycle(self) -> None:
        """Moves are between two different stages, no stage being one of them."""
        self.check(True, moves=[("", "new"), ("new", ""), ("new", "old")])
        self.check(False, moves=[("new", "new")])
        self.check(False, moves=[("new", "old"), ("", "new")])
        self.check(False, moves=[])

    def test_limits(self) -> None:
        """Limits ascend, and limit something."""
        limit, most = forge.limit, ("f", forge.number(0))
        self.check(True, limits=[limit("a", 1, 1), limit("a", 1, 1, most), limit("a", 2, 1)])
        self.check(True, limits=[limit("a", 9, 1), limit("a", 1, 1, per=1)])
        self.check(False, limits=[limit("a", 1, 1), limit("a", 1, 2)])
        self.check(False, limits=[limit("a", 1, 1, per=1), limit("a", 9, 1)])
        self.check(False, limits=[limit("a", 1)])
        self.check(False, limits=[limit("a", 0, 1)])
        self.check(False, limits=[limit("a", -1, 1)])
        self.check(False, limits=[limit("a", 1, 0)])
        self.check(False, limits=[limit("a", 1, total=("f", forge.number(-1)))])
        self.check(False, limits=[limit("a", 1, total=("", forge.number(1)))])
        self.check(True, limits=[limit("a", window, 1) for window in range(1, 65)])
        self.check(False, limits=[limit("a", window, 1) for window in range(1, 66)])

    def test_period_and_version(self) -> None:
        """Drill period and rows to the next snapshot are above 0, and the version is 3."""
        self.check(True, period=1)
        self.check(False, period=0)
        self.check(True, snapshots=1)
        self.check(True, snapshots=2**64 - 1)
        self.check(False, snapshots=0)
        self.check(False, snapshots=2**64)
        self.check(False, version=2)
        self.check(False, version=4)

    def test_patterns(self) -> None:
        """A star is a prefix at the end, and nothing elsewhere."""
        for pattern, action in (("*", ""), ("a*", "a"), ("a*", "ab"), ("a", "a")):
            self.assertTrue(policy.matches(pattern, action))
        for pattern, action in (("a", "ab"), ("ab*", "a"), ("a", "")):
            self.assertFalse(policy.matches(pattern, action))


class Bodies(unittest.TestCase):
    """Other bodies, and effects."""

    def test_scopes(self) -> None:
        """Lists ascend, the end is behind the beginning, and the owner is confined to nothing."""
        key = forge.Signer(9)

        def grant(roles: int, *confined: object) -> bytes:
            return forge.grant(key, roles, "name", forge.scope(*confined))  # type: ignore[arg-type]

        for body in (grant(0x08, ["a", "b*"], ["a/", "b\n"], 1, 2), grant(0x08, [], [], None, 0),
                     grant(0x21)):  # fmt: skip
            self.assertFalse(refused(kinds.KEY, body))
        for body in (
            grant(0x08, ["b", "a"]), grant(0x08, ["a*b"]), grant(0x08, [], ["b", "a"]),
            grant(0x08, [], [""]), grant(0x08, [], [], 2, 2), grant(0x09, ["a"]),
            grant(0x28, [], ["a"]), grant(0x01, [], [], None, 5), grant(0x88),
        ):  # fmt: skip
            self.assertTrue(refused(kinds.KEY, body))

    def test_kill_switch(self) -> None:
        """The end of a drill, and nothing else, names its beginning and its probe."""
        turn, key = forge.turn, forge.Signer(9)
        allowed = (turn(0, True, key), turn(1, False, key), turn(2, False, key),
                   turn(2, True, key), turn(3, True, key), turn(3, False, key, (1, 2)))  # fmt: skip
        for body in allowed:
            self.assertFalse(refused(kinds.KILL_SWITCH, body))
        for body in (turn(0, False, key), turn(1, True, key), turn(3, False, key),
                     turn(3, True, key, (1, 2)), turn(1, False, key, (1, 2)),
                     turn(2, False, key, (1, 2)), turn(4, True, key)):  # fmt: skip
            self.assertTrue(refused(kinds.KILL_SWITCH, body))

    def test_calibrations(self) -> None:
        """Rows ascend, below the number up to which readings count."""
        floor = forge.number(1)
        self.assertFalse(refused(kinds.CALIBRATION, forge.calibration("m", [1, 2], floor)))
        for body in (forge.calibration("m", [2, 1], floor), forge.calibration("m", [2, 2], floor),
                     forge.calibration("m", [2], floor, upto=2),
                     forge.calibration("m", [2], floor, quantile=1_000_001)):  # fmt: skip
            self.assertTrue(refused(kinds.CALIBRATION, body))
        self.assertTrue(refused(kinds.REVIEW, forge.review(1, bytes(32), 2)))

    def test_recovery_drills(self) -> None:
        """Of four classes, and passed or not; other metrics are free."""
        number, reading = forge.number, forge.reading
        for name in ("exact", "declared", "window", "compensating"):
            for value in (number(0), number(1)):
                self.assertFalse(refused(kinds.READING, reading("drill/" + name, value)))
            for value in (number(2), number(-1), number(1, 1), number(0, 1), number(10, 1)):
                self.assertTrue(refused(kinds.READING, reading("drill/" + name, value)))
        for name in ("drill/", "drill/none", "drill/Exact", "drill/exact/", "drill/ exact"):
            self.assertTrue(refused(kinds.READING, reading(name, number(1))))
        for name in ("drill", "drills/exact", "Drill/none", "a/drill/none"):
            self.assertFalse(refused(kinds.READING, reading(name, number(25, 1))))

    def test_rollbacks(self) -> None:
        """Three manners, and places that ascend."""
        rollback, hash_ = forge.rollback, bytes(32)
        for manner in range(3):
            for effects in ((), (0,), (3, 2**32 - 1), range(4096)):
                body = rollback(2**64 - 1, hash_, manner, effects)
                self.assertFalse(refused(kinds.ROLLBACK_ROW, body))
        for body in (rollback(1, hash_, 3), rollback(1, hash_, 0, (1, 1)),
                     rollback(1, hash_, 0, (2, 1)), rollback(1, hash_, 0, (2**32,)),
                     rollback(1, hash_, 0, range(4097)), rollback(1, hash_)[:-1]):  # fmt: skip
            self.assertTrue(refused(kinds.ROLLBACK_ROW, body))

    def test_outcomes_and_snapshots(self) -> None:
        """Five statuses; numbers within their bounds."""
        for status in range(5):
            self.assertFalse(refused(kinds.OUTCOME, forge.outcome(7, 2**32 - 1, status)))
        for body in (forge.outcome(7, 0, 5), forge.outcome(7, 2**32, 0),
                     forge.varint(7) + b"\x00\x00\x02\x00"):  # fmt: skip
            self.assertTrue(refused(kinds.OUTCOME, body))
        self.assertFalse(refused(kinds.SNAPSHOT, forge.snapshot(7, bytes(32), 2**64 - 1)))
        self.assertTrue(refused(kinds.SNAPSHOT, forge.snapshot(7, bytes(31), 1)))

    def test_effects(self) -> None:
        """Four undos; only one of them ends."""
        for effect, until in (
            (forge.effect(), None), (forge.effect(undo=1), None), (forge.effect(undo=3), None),
            (forge.effect(undo=2, until=-5), -5),
        ):  # fmt: skip
            content = forge.items([effect])
            said, _ = parts.read_part(kinds.EFFECTS, Slot(bytes(16), content, None), content)
            assert isinstance(said, list) and isinstance(said[0], parts.Effect)
            self.assertEqual(said[0].until, until)
        for effect in (forge.effect(undo=4), forge.effect(undo=2), forge.effect(undo=1, until=5)):
            content = forge.items([effect])
            with self.assertRaises(encoding.Malformed):
                parts.read_part(kinds.EFFECTS, Slot(bytes(16), content, None), content)


if __name__ == "__main__":
    unittest.main()
