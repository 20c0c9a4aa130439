//! What the owner, the operators and those who measure do.

use crate::draws::{METRICS, number, once_in, pick, scope};
use crate::market::{Holder, Market, secret};
use counterfoil_format::body::{Body, Calibration, Drill, KeyChange, KillSwitch, Reading, Role, SwitchAct};
use counterfoil_format::content::Subject;
use counterfoil_format::intent::{Kind, Mode};
use counterfoil_format::landing::{Outcome, Reason};
use counterfoil_format::part::PartTag;
use counterfoil_format::value::Decimal;
use counterfoil_ledger::{Draft, Signer, StoredRow};

impl Market {
    pub fn change_keys(&mut self) {
        let now = self.now();
        match self.rng.below(6) {
            0 if self.holders.len() > 5 => {
                let who = 4 + self.rng.place(self.holders.len() - 4);
                let key = self.holders[who].key.public().id();
                self.submit_body(
                    "revoke",
                    0,
                    Body::Key(KeyChange::Revoke { key, compromised_since: None, reason: "" }),
                );
            }
            1 if self.holders.len() > 5 => {
                let who = 4 + self.rng.place(self.holders.len() - 4);
                let (old, roles) = (self.holders[who].key.public().id(), self.holders[who].roles);
                self.made += 1;
                let key = secret(self.made);
                let change = KeyChange::Rotate { old, key: *key.public().as_bytes() };
                if self.submit_body("rotate", 0, Body::Key(change)) {
                    self.holders.push(Holder { key, roles });
                }
            }
            _ => {
                let sets = [
                    Role::Executor.bit(),
                    Role::Executor.bit() | Role::Operator.bit(),
                    Role::Executor.bit() | Role::Judge.bit(),
                    Role::Judge.bit(),
                    Role::Judge.bit() | Role::Planner.bit(),
                    Role::Operator.bit(),
                ];
                let (roles, name) = (pick(&mut self.rng, &sets), pick(&mut self.rng, &["judge", "other"]));
                let scope = scope(&mut self.rng, now);
                self.grant(roles, name, scope);
            }
        }
    }

    /// Pulls or releases the switch, hands it over, begins or ends a drill.
    pub fn turn(&mut self) {
        let (who, to) = (self.holder(Role::Operator), self.holder(Role::Operator));
        let holder = self.holders[to].key.public().id();
        let engaged = self.ledger().governance().in_force.switch.engaged;
        let (act, engaged, drill) = match self.rng.below(if engaged { 24 } else { 8 }) {
            0 => (SwitchAct::Engage, true, None),
            1 | 2 => (SwitchAct::Drill, true, None),
            3 => (SwitchAct::HandOver, engaged, None),
            4..14 if engaged => {
                let drill = self.drill();
                (SwitchAct::Drill, false, Some(drill))
            }
            _ => (SwitchAct::Release, false, None),
        };
        let what = if drill.is_some() { "drill ended" } else { act.name() };
        self.submit_body(what, who, Body::KillSwitch(KillSwitch { act, engaged, holder, reason: "", drill }));
    }

    /// What may be said of the drill under way: the last row that was stopped.
    fn drill(&mut self) -> Drill {
        let began = self.ledger().governance().in_force.switch_row;
        let stopped = |stored: &StoredRow| {
            let row = stored.parse().unwrap();
            row.head.kind == Kind::Decision && row.landing.reasons.contains(&Reason::KillSwitch)
        };
        let probe = self.rows().iter().rposition(stopped).unwrap_or(2) as u64;
        if once_in(&mut self.rng, 8) {
            return Drill { began, probe: self.rng.below(self.size()) };
        }
        Drill { began, probe }
    }

    pub fn measure(&mut self) {
        let roles = [Role::Executor, Role::Executor, Role::Operator, Role::Judge];
        let role = pick(&mut self.rng, &roles);
        let who = self.holder(role);
        let (id, now, row) = (self.id(), self.now(), self.size());
        let (metric, value) = (pick(&mut self.rng, &METRICS), number(&mut self.rng));
        let body = Body::Evidence(Reading { metric, value, source: "" });
        let entity = pick(&mut self.rng, &[None, None, Some("sku-1"), Some("sku-2")]);
        let subject = entity.map(|entity| Subject { entity, lifecycle: None });
        let action = pick(&mut self.rng, &["", "ad.scale"]);
        let mode = if once_in(&mut self.rng, 8) { Mode::DryRun } else { Mode::Live };
        let draft = Draft { subject, action, mode, ..Draft::with_body(id, body, now) };
        let submission = self.build(who, |builder| builder.push(&draft));
        if self.submit("reading", submission) {
            self.readings.push(row);
        }
    }

    /// A recovery drill, which mostly passes; now and then by somebody who may not say so.
    pub fn drill_recovery(&mut self) {
        let class = pick(
            &mut self.rng,
            &["drill/exact", "drill/exact", "drill/declared", "drill/window", "drill/compensating"],
        );
        let passed = !once_in(&mut self.rng, 5);
        let value = Decimal { mantissa: i128::from(passed), scale: 0 };
        let role = if once_in(&mut self.rng, 8) { Role::Executor } else { Role::Operator };
        let who = self.holder(role);
        self.submit_body("drill", who, Body::Evidence(Reading { metric: class, value, source: "" }));
    }

    pub fn calibrate(&mut self) {
        let (metric, action) = (pick(&mut self.rng, &METRICS), pick(&mut self.rng, &["", "", "ad.scale"]));
        let from = self.now() - self.rng.below(3_000).cast_signed();
        let upto = self.size() - self.rng.below(3).min(self.size());
        let quantile = pick(&mut self.rng, &[0, 1, 250_000, 333_333, 500_000, 666_667, 1_000_000]);
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        for stored in self.rows().iter().take(usize::try_from(upto).unwrap()) {
            let row = stored.parse().unwrap();
            let body = row.content(PartTag::Body).map(|bytes| Body::decode(row.head.kind, bytes).unwrap());
            let Some(Body::Evidence(reading)) = body else { continue };
            let of = action.is_empty() || row.head.action == action;
            if row.landing.outcome == Outcome::Applied
                && reading.metric == metric
                && of
                && row.landing.landed_at >= from
            {
                rows.push(row.landing.seq);
                values.push(reading.value.mantissa * 10i128.pow(2 - u32::from(reading.value.scale)));
            }
        }
        if rows.is_empty() {
            return;
        }
        values.sort_unstable();
        let rank = (values.len() * quantile as usize).div_ceil(1_000_000).max(1);
        let mut threshold = Decimal { mantissa: values[rank - 1], scale: 2 };
        while threshold.scale > 0 && threshold.mantissa % 10 == 0 {
            threshold = Decimal { mantissa: threshold.mantissa / 10, scale: threshold.scale - 1 };
        }
        let wrong = once_in(&mut self.rng, 6);
        match self.rng.below(2) {
            0 if wrong => threshold.mantissa += 10,
            _ if wrong && rows.len() > 1 => drop(rows.remove(0)),
            _ => {}
        }
        let who = self.holder(Role::Operator);
        let calibration = Calibration { metric, action, from, upto, quantile, rows, threshold };
        self.submit_body("calibration", who, Body::Calibration(calibration));
    }
}
