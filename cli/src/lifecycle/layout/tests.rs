//! Layouts of random graphs keep what a reader relies on.

use super::*;

/// A small generator, so that a failure names all it takes to see it again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

fn random(seed: u64) -> (Vec<Shape>, Vec<Arrow>) {
    let mut dice = Dice(seed);
    let nodes = 1 + dice.below(14);
    let shapes = (0..nodes).map(|at| Shape { width: 20.0 + dice.below(150) as f64, small: at % 5 == 0 });
    let shapes = shapes.collect();
    let mut pairs = std::collections::BTreeSet::new();
    for _ in 0..dice.below(40) {
        let (from, to) = (dice.below(nodes), dice.below(nodes));
        if from != to && to != 0 {
            pairs.insert((from, to));
        }
    }
    let label = |at: usize| if at.is_multiple_of(3) { 40.0 } else { 0.0 };
    let arrows = pairs.into_iter().enumerate();
    (shapes, arrows.map(|(at, (from, to))| Arrow { from, to, label: label(at) }).collect())
}

#[test]
fn nodes_stand_apart_and_arrows_lead_from_side_to_side() {
    for seed in 0..300 {
        let (shapes, arrows) = random(seed);
        let layout = lay_out(&shapes, &arrows, Some(0));
        assert_eq!((layout.places.len(), layout.routes.len()), (shapes.len(), arrows.len()), "seed {seed}");
        for (at, one) in layout.places.iter().enumerate() {
            let fits = one.x - one.width / 2.0 >= -0.01 && one.x + one.width / 2.0 <= layout.width + 0.01;
            let inside =
                one.y - one.height / 2.0 >= -0.01 && one.y + one.height / 2.0 <= layout.height + 0.01;
            assert!(fits && inside, "seed {seed}: node {at} lies outside");
            for other in layout.places.iter().skip(at + 1) {
                let beside = (one.x - other.x).abs() >= (one.width + other.width) / 2.0;
                let apart = (one.y - other.y).abs() >= (one.height + other.height) / 2.0;
                assert!(beside || apart, "seed {seed}: nodes overlap");
            }
        }
        for (arrow, route) in arrows.iter().zip(&layout.routes) {
            let at = |point: Point, node: usize| {
                let place = layout.places[node];
                let side = (point.0 - place.x).abs() - place.width / 2.0;
                side.abs() < 0.01 && (point.1 - place.y).abs() < place.height / 2.0
            };
            let (first, last) = (route.curves.first().unwrap(), route.curves.last().unwrap());
            assert!(at(first.0, arrow.from) && at(last.1, arrow.to), "seed {seed}: {arrow:?} {route:?}");
        }
    }
}

/// No line may run over a node that it has nothing to do with: between columns there are none, and in a column each arrow has
/// its own height.
#[test]
fn arrows_pass_by_the_nodes_between() {
    for seed in 0..300 {
        let (shapes, arrows) = random(seed);
        let layout = lay_out(&shapes, &arrows, Some(0));
        for route in &layout.routes {
            for pair in route.curves.windows(2) {
                let [(_, from), (to, _)] = pair else { continue };
                assert!((from.1 - to.1).abs() < 0.01, "seed {seed}: a bend is level");
                let over = layout.places.iter().find(|place| {
                    let (left, right) = (from.0.min(to.0), from.0.max(to.0));
                    place.x > left && place.x < right && (place.y - from.1).abs() < place.height / 2.0
                });
                assert_eq!(over, None, "seed {seed}");
            }
        }
    }
}

#[test]
fn nothing_is_laid_out_in_no_space() {
    let layout = lay_out(&[], &[], None);
    assert_eq!((layout.places.len(), layout.width, layout.height), (0, 0.0, 0.0));
    let one = lay_out(&[Shape { width: 80.0, small: false }], &[], Some(0));
    assert_eq!(one.places, [Place { x: 40.0, y: NODE / 2.0, width: 80.0, height: NODE }]);
}
