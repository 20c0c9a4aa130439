//! Any policy that can be set is printed so that it reads back as the same one; any text is read without a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use counterfoil_format::body::Role;
use counterfoil_format::intent::{Kind, Tier};
use counterfoil_format::policy::{
    ActionRule, Class, Floor, Lifecycle, Limit, MetricFloor, Move, POLICY_VERSION, Per, PolicyBody, Reach,
    SumLimit, Writers,
};
use counterfoil_format::value::Decimal;
use counterfoil_policy::{PRESETS, PolicyFile, Problem, diff};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

type Bound = (Option<u32>, Option<Decimal>);
type Stages = (BTreeSet<String>, BTreeSet<(String, String)>);
type Span = (String, Per, i64, Option<String>);

/// What a body borrows from.
#[derive(Debug, Clone)]
struct Policy {
    writers: BTreeMap<Kind, u8>,
    separation: bool,
    rules: BTreeMap<String, Rule>,
    lifecycle: Option<Stages>,
    limits: BTreeMap<Span, Bound>,
    drill_period: Option<i64>,
    snapshot_rows: Option<u64>,
    segment_bytes: u64,
}

#[derive(Debug, Clone)]
struct Rule {
    live: bool,
    class: Class,
    tier: Tier,
    judge_floor: Option<u32>,
    attested: bool,
    reach: Reach,
    proven: Option<i64>,
    metrics: BTreeMap<String, Floor>,
}

impl Policy {
    fn body(&self) -> PolicyBody<'_> {
        PolicyBody {
            version: POLICY_VERSION,
            writers: self.writers.iter().map(|(&kind, &roles)| Writers { kind, roles }).collect(),
            separation: self.separation,
            actions: self.rules.iter().map(|(pattern, rule)| rule.body(pattern)).collect(),
            lifecycle: self.lifecycle.as_ref().map(|(stages, moves)| Lifecycle {
                stages: stages.iter().map(String::as_str).collect(),
                moves: moves.iter().map(|(from, to)| Move { from, to }).collect(),
            }),
            limits: self.limits.iter().map(|(key, bound)| limit_body(key, bound)).collect(),
            drill_period: self.drill_period,
            snapshot_rows: self.snapshot_rows,
            segment_bytes: self.segment_bytes,
        }
    }
}

impl Rule {
    fn body<'p>(&'p self, pattern: &'p str) -> ActionRule<'p> {
        ActionRule {
            pattern,
            live: self.live,
            class: self.class,
            tier: self.tier,
            judge_floor: self.judge_floor,
            attested: self.attested,
            reach: self.reach,
            proven: self.proven,
            metrics: self.metrics.iter().map(|(metric, &floor)| MetricFloor { metric, floor }).collect(),
        }
    }
}

fn limit_body<'p>((actions, per, window, field): &'p Span, (count, most): &Bound) -> Limit<'p> {
    let sum = field.as_deref().zip(*most).map(|(field, most)| SumLimit { field, most });
    Limit { actions, per: *per, window: *window, count: *count, sum }
}

/// Names with all that may trouble a printer: quotes, dots, escapes, hidden characters, words of the language.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z_]{1,8}",
        "[a-z0-9.*'\"\\\\ #=-]{1,8}".prop_map(|text| text.replace('*', "x")),
        "[é\u{85}\u{202e}\u{200b}\u{feff}\u{10ffff}😀a]{1,4}",
        select(vec![
            "live",
            "stages",
            "free",
            "never",
            "calibrated",
            "true",
            "1",
            "action",
            "\"",
            "\\",
            "start"
        ])
        .prop_map(str::to_owned),
        "[a-z]{128}",
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => name(),
        3 => name().prop_filter_map("too long", |name| (name.len() < 128).then(|| format!("{name}*"))),
        1 => Just("*".to_owned()),
    ]
}

fn decimal() -> impl Strategy<Value = Decimal> {
    let mantissa = prop_oneof![any::<i64>().prop_map(i128::from), any::<i128>(), -9i128..9];
    (mantissa, 0u8..=38).prop_map(|(mantissa, scale)| Decimal { mantissa, scale })
}

fn time() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        Just(None),
        (1..=i64::MAX).prop_map(Some),
        (1i64..90).prop_map(|days| Some(days * 86_400_000_000))
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let floor = prop_oneof![decimal().prop_map(Floor::Fixed), Just(Floor::Calibrated)];
    let rule = (
        any::<bool>(),
        select(Class::ALL),
        select(Tier::ALL),
        of(0u32..=1_000_000),
        any::<bool>(),
        select(Reach::ALL),
        time(),
        btree_map(name(), floor, 0..4),
    );
    let open = Rule {
        live: true,
        class: Class::Soft,
        tier: Tier::Unstated,
        judge_floor: None,
        attested: false,
        reach: Reach::Never,
        proven: None,
        metrics: BTreeMap::new(),
    };
    let any_rule = rule.prop_map(|(live, class, tier, judge_floor, attested, reach, proven, metrics)| Rule {
        live,
        class,
        tier,
        judge_floor,
        attested,
        reach,
        proven,
        metrics,
    });
    prop_oneof![4 => any_rule, 1 => Just(open)]
}

fn lifecycle() -> impl Strategy<Value = Stages> {
    (btree_set(name(), 1..20), vec(any::<(u8, u8)>(), 1..30)).prop_map(|(stages, moves)| {
        let places: Vec<&str> = std::iter::once("").chain(stages.iter().map(String::as_str)).collect();
        let stage = |place: u8| places[usize::from(place) % places.len()].to_owned();
        let mut moves: BTreeSet<_> = moves.into_iter().map(|(from, to)| (stage(from), stage(to))).collect();
        moves.retain(|(from, to)| from != to);
        moves.insert((String::new(), stage(1)));
        (stages, moves)
    })
}

fn limits() -> impl Strategy<Value = BTreeMap<Span, Bound>> {
    let window = prop_oneof![1..=i64::MAX, (1i64..100).prop_map(|days| days * 86_400_000_000), 1i64..1000];
    let most = decimal().prop_map(|most| Decimal { mantissa: most.mantissa.saturating_abs(), ..most });
    let limit = (pattern(), select(Per::ALL), window, of(1..=u32::MAX), of((name(), most)));
    vec(limit, 0..5).prop_map(|limits| {
        let keyed = limits.into_iter().map(|(pattern, per, window, count, sum)| {
            let (field, most) = sum.unzip();
            let count = if most.is_none() { count.or(Some(1)) } else { count };
            ((pattern, per, window, field), (count, most))
        });
        keyed.collect()
    })
}

/// Roles of which everything is allowed but for what would lock somebody out.
fn writers() -> impl Strategy<Value = BTreeMap<Kind, u8>> {
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| !matches!(kind, Kind::Genesis | Kind::Snapshot)).collect();
    btree_map(select(kinds), 0u8..0x20, 0..6).prop_map(|mut writers| {
        writers.iter_mut().for_each(|(_, roles)| *roles |= Role::Owner.bit());
        writers
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let segment = prop_oneof![4096..=1u64 << 32, (1u64..4096).prop_map(|mib| mib << 20)];
    let rules = btree_map(pattern(), rule(), 0..8);
    (writers(), any::<bool>(), rules, of(lifecycle()), limits(), time(), of(1..=u64::MAX), segment).prop_map(
        |(writers, separation, rules, lifecycle, limits, drill_period, snapshot_rows, segment_bytes)| {
            Policy {
                writers,
                separation,
                rules,
                lifecycle,
                limits,
                drill_period,
                snapshot_rows,
                segment_bytes,
            }
        },
    )
}

/// A preset with a piece of it taken out, doubled, put elsewhere or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,6}",
        select(vec![
            "\"", "'", "[", "]", "[[", "{", "}", "=", ".", ",", "\n", "#", "\"*\"", "1e9", "0x", "true",
            "\\u", "\r", "\u{0}"
        ])
        .prop_map(str::to_owned),
    ];
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..40, piece);
    (select(PRESETS), vec(change, 1..6)).prop_map(|(preset, changes)| {
        let mut text: Vec<char> = preset.text.chars().collect();
        for (at, to, length, piece) in changes {
            let at = at.index(text.len());
            let taken: Vec<char> = text[at..(at + length).min(text.len())].to_vec();
            match length % 3 {
                0 => drop(text.splice(at..at + taken.len(), piece.chars())),
                1 => drop(text.splice(at..at, piece.chars())),
                _ => {
                    let to = to.index(text.len());
                    drop(text.splice(to..to, taken));
                }
            }
            text.push('\n');
        }
        text.into_iter().collect()
    })
}

/// Whatever is read can be set, printed and read again; whatever is refused is told within the text.
fn read_any(text: &str) {
    match PolicyFile::parse(text) {
        Ok(file) => {
            assert_eq!(file.body().check(), Ok(()));
            let printed = PolicyFile::parse(&file.to_toml()).unwrap();
            assert_eq!(printed.body(), file.body());
        }
        Err(errors) => {
            assert!(!errors.errors.is_empty());
            assert!(errors.errors.is_sorted_by_key(|error| error.place));
            let lines: Vec<&str> = text.split('\n').collect();
            for error in &errors.errors {
                let line = lines.get(error.place.line - 1).expect("a line of the text");
                assert!(error.place.column <= line.chars().count() + 1, "{error}");
                assert!(!matches!(error.problem, Problem::Refused(_)), "{error}: the readers miss it");
                assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_body_survives_being_printed_and_read(policy in policy()) {
        let body = policy.body();
        prop_assert_eq!(body.check(), Ok(()));
        let text = PolicyFile::from_body(&body).to_toml();
        let file = PolicyFile::parse(&text).map_err(|errors| TestCaseError::fail(format!("{errors}\n{text}")))?;
        prop_assert_eq!(file.body(), body, "{}", text);
        let hidden = |c: char| c != '\n' && (c.is_control() || ['\u{202e}', '\u{200b}', '\u{feff}'].contains(&c));
        prop_assert!(!text.chars().any(hidden), "{}", text.escape_debug());
        prop_assert_eq!(file.to_toml(), text);
    }

    #[test]
    fn policies_differ_exactly_when_a_difference_is_told(old in policy(), new in policy(), part in 0..8) {
        let mut near = old.clone();
        match part {
            0 => near.writers = new.writers,
            1 => near.separation = new.separation,
            2 => near.rules = new.rules,
            3 => near.lifecycle = new.lifecycle,
            4 => near.limits = new.limits,
            5 => near.drill_period = new.drill_period,
            6 => near.snapshot_rows = new.snapshot_rows,
            _ => near.segment_bytes = new.segment_bytes,
        }
        let told = diff(&old.body(), &near.body());
        prop_assert_eq!(told.is_empty(), old.body() == near.body(), "{:?}", told);
        prop_assert_eq!(diff(&old.body(), &old.body()), []);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in prop_oneof!["\\PC*", "(\\[|\\]|=|\"|'|\\.|\n|,|\\{|\\}|a|1|#| ){0,60}"]) {
        read_any(&text);
    }

    #[test]
    fn a_mangled_preset_is_read_without_a_panic(text in mutated()) {
        read_any(&text);
    }
}

#[test]
fn what_is_made_to_be_large_is_read_in_time() {
    for unit in [
        "]",
        "[",
        "a=[",
        "=",
        "\"",
        "a.",
        "a={",
        "[a]\n",
        "[[limit]]\n",
        "x=y\n",
        "é=1\n",
        "\0",
        "'''",
        "[action.\"b\"]\n",
    ] {
        read_any(&unit.repeat(200_000 / unit.len()));
    }
}

#[test]
fn what_a_rule_says_goes_before_the_defaults() {
    let text = "[defaults]\nproven = \"30 days\"\n[action.A]\n[action.B]\nproven = \"1 h\"\n[action.C]\nproven = \"none\"";
    let file = PolicyFile::parse(text).unwrap();
    let proven = |file: &PolicyFile| file.body().actions.iter().map(|rule| rule.proven).collect::<Vec<_>>();
    assert_eq!(proven(&file), [Some(30 * 86_400_000_000), Some(3_600_000_000), None]);
    assert_eq!(proven(&PolicyFile::parse(&file.to_toml()).unwrap()), proven(&file));
}
