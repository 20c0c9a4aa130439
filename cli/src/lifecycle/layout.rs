//! A layout of nodes and arrows in columns, from left to right (the method of Sugiyama, Tagawa and Toda, 1981).
//!
//! 1. Every node goes to a column: one more than the farthest of those that lead to it ([`columns`]).
//! 2. An arrow over several columns is cut into links by bends, one in each column that it crosses.
//! 3. In each column nodes and bends are brought into an order in which few links cross ([`order`]).
//! 4. They are moved up and down until links are as level as their neighbours let them be.
//!
//! Coordinates are pixels, from the top left.

mod columns;
mod order;

use self::columns::columns;
use self::order::order;

/// A node that is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub width: f64,
    /// Whether all arrows end at the same place of a side, since it is too small for more.
    pub small: bool,
}

/// An arrow that is laid out, between two nodes by their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Arrow {
    pub from: usize,
    pub to: usize,
    /// How much room what stands at it takes.
    pub label: f64,
}

/// Where a node is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Place {
    /// Its middle.
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// A point.
pub type Point = (f64, f64);

/// The way of an arrow: curves that are level at their ends, with straight lines between them.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// The ends of each curve, from where the arrow begins to where it points.
    pub curves: Vec<(Point, Point)>,
    /// Where what stands at it goes.
    pub label: Point,
}

/// Nodes and arrows in their places.
#[derive(Debug, Default)]
pub struct Layout {
    pub places: Vec<Place>,
    pub routes: Vec<Route>,
    pub width: f64,
    pub height: f64,
}

/// The least height of a node, and between two in a column.
const NODE: f64 = 38.0;
const BETWEEN: f64 = 26.0;
/// The height that a bend takes.
const BEND: f64 = 6.0;
/// Between two ends of arrows at one side of a node.
const ENDS: f64 = 13.5;
/// Between two columns, at least.
const GAP: f64 = 68.0;
/// How often nodes are moved up and down.
const PASSES: usize = 40;

/// A node or a bend.
#[derive(Debug, Clone, Copy)]
struct Item {
    column: usize,
    width: f64,
    height: f64,
    y: f64,
    /// Whether arrows end in its middle: it is a bend, or a small node.
    slim: bool,
    bend: bool,
}

/// A piece of an arrow from an item to one in the next column.
#[derive(Debug, Clone, Copy)]
struct Link {
    left: usize,
    right: usize,
    arrow: usize,
}

/// Lays nodes of these shapes out. `first` is the one that stands to the left of all others.
pub fn lay_out(shapes: &[Shape], arrows: &[Arrow], first: Option<usize>) -> Layout {
    let ends: Vec<_> = arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
    let column = columns(shapes.len(), &ends, first);
    let item = |(shape, column): (&Shape, &usize)| {
        let Shape { width, small: slim } = *shape;
        Item { column: *column, width, height: NODE, y: 0.0, slim, bend: false }
    };
    let mut items: Vec<Item> = shapes.iter().zip(&column).map(item).collect();
    let links = cut(&mut items, arrows);
    heighten(&mut items, &links);
    let pairs: Vec<_> = links.iter().map(|link| (link.left, link.right)).collect();
    let stacks = order(&items.iter().map(|item| item.column).collect::<Vec<_>>(), &pairs);
    level(&mut items, &stacks, &pairs);

    let gaps = gaps(&items, &links, arrows, stacks.len());
    let (columns, width) = across(&items, &gaps);
    let top = items.iter().map(|item| item.y - item.height / 2.0).fold(f64::INFINITY, f64::min);
    items.iter_mut().for_each(|item| item.y -= top);
    let height = items.iter().map(|item| item.y + item.height / 2.0).fold(0.0, f64::max);
    let middle = |item: &Item| columns.get(item.column).map_or(0.0, |(left, wide)| left + wide / 2.0);
    let nodes = items.iter().take(shapes.len());
    let places = nodes
        .map(|item| Place { x: middle(item), y: item.y, width: item.width, height: item.height })
        .collect();
    let routes = (0..).zip(arrows).map(|(at, arrow)| route(at, arrow, &items, &links, &columns)).collect();
    Layout { places, routes, width, height }
}

/// Cuts the arrows into links, from left to right whichever way they point, with new bends between them.
fn cut(items: &mut Vec<Item>, arrows: &[Arrow]) -> Vec<Link> {
    let mut links = Vec::new();
    for (at, arrow) in arrows.iter().enumerate() {
        let column = |item: usize, items: &[Item]| items.get(item).map_or(0, |item| item.column);
        let (from, to) = (column(arrow.from, items), column(arrow.to, items));
        let (mut left, right) = if from < to { (arrow.from, arrow.to) } else { (arrow.to, arrow.from) };
        for column in from.min(to) + 1..from.max(to) {
            items.push(Item { column, width: 0.0, height: BEND, y: 0.0, slim: true, bend: true });
            links.push(Link { left, right: items.len() - 1, arrow: at });
            left = items.len() - 1;
        }
        links.push(Link { left, right, arrow: at });
    }
    links
}

/// Makes nodes high enough for the ends of all arrows at either side.
fn heighten(items: &mut [Item], links: &[Link]) {
    for (at, item) in items.iter_mut().enumerate().filter(|(_, item)| !item.slim) {
        let left = links.iter().filter(|link| link.right == at).count();
        let right = links.iter().filter(|link| link.left == at).count();
        item.height = NODE.max((left.max(right) as f64 + 0.5) * ENDS);
    }
}

/// Moves the items of each column, in their order, to where their links are level.
fn level(items: &mut [Item], stacks: &[Vec<usize>], links: &[(usize, usize)]) {
    let mut beside = vec![(Vec::new(), Vec::new()); items.len()];
    for (left, right) in links {
        beside.get_mut(*left).into_iter().for_each(|(_, after)| after.push(*right));
        beside.get_mut(*right).into_iter().for_each(|(before, _)| before.push(*left));
    }
    for stack in stacks {
        settle(items, stack, |_, _| 0.0);
    }
    let columns = stacks.len();
    for pass in 0..PASSES {
        // The last passes look to both sides, so that neither decides alone.
        let both = pass * 2 >= PASSES;
        for at in 0..columns {
            let forth = pass % 2 == 0;
            let at = if forth { at } else { columns - 1 - at };
            let Some(stack) = stacks.get(at) else { continue };
            settle(items, stack, |item, items| {
                let Some((before, after)) = beside.get(item) else { return 0.0 };
                let mean = |beside: &mut dyn Iterator<Item = &usize>| {
                    let found: Vec<f64> = beside.filter_map(|at| items.get(*at)).map(|item| item.y).collect();
                    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
                };
                let own = items.get(item).map_or(0.0, |item| item.y);
                let side = if forth { before } else { after };
                let wanted = match both {
                    true => mean(&mut before.iter().chain(after)),
                    false => mean(&mut side.iter()),
                };
                wanted.unwrap_or(own)
            });
        }
    }
}

/// Puts the items of a column as near to where they would like to be as their order and heights allow: the least sum of
/// squares, by pooling adjacent violators. Bends, whose arrows would have kinks, weigh more.
fn settle(items: &mut [Item], stack: &[usize], wanted: impl Fn(usize, &[Item]) -> f64) {
    struct Pool {
        sum: f64,
        weight: f64,
        count: usize,
    }
    let mut offset = 0.0;
    let mut offsets = Vec::with_capacity(stack.len());
    let mut pools: Vec<Pool> = Vec::new();
    let mut above: Option<Item> = None;
    for at in stack {
        let Some(item) = items.get(*at).copied() else { continue };
        if let Some(above) = above {
            let between = if above.bend && item.bend { BETWEEN / 2.0 } else { BETWEEN };
            offset += above.height / 2.0 + between + item.height / 2.0;
        }
        above = Some(item);
        offsets.push(offset);
        let weight = if item.bend { 3.0 } else { 1.0 };
        let mut pool = Pool { sum: (wanted(*at, items) - offset) * weight, weight, count: 1 };
        while let Some(last) = pools.pop_if(|last| last.sum / last.weight > pool.sum / pool.weight) {
            pool.sum += last.sum;
            pool.weight += last.weight;
            pool.count += last.count;
        }
        pools.push(pool);
    }
    let places = pools.iter().flat_map(|pool| std::iter::repeat_n(pool.sum / pool.weight, pool.count));
    for ((at, place), offset) in stack.iter().zip(places).zip(offsets) {
        items.get_mut(*at).into_iter().for_each(|item| item.y = place + offset);
    }
}

/// How wide it is behind each column: wider where something stands at an arrow, and where many arrows cross.
fn gaps(items: &[Item], links: &[Link], arrows: &[Arrow], columns: usize) -> Vec<f64> {
    let mut gaps = vec![GAP; columns];
    let mut steep = vec![0.0f64; columns];
    for link in links {
        let (Some(left), Some(right)) = (items.get(link.left), items.get(link.right)) else { continue };
        let label = arrows.get(link.arrow).filter(|_| !left.bend).map_or(0.0, |arrow| arrow.label);
        if let Some(gap) = gaps.get_mut(left.column) {
            *gap = gap.max(if label > 0.0 { label + 56.0 } else { 0.0 });
        }
        if let Some(steep) = steep.get_mut(left.column) {
            *steep = steep.max((left.y - right.y).abs());
        }
    }
    gaps.iter().zip(steep).map(|(gap, steep)| gap.max((steep * 0.5).min(GAP * 2.0))).collect()
}

/// Where each column begins and how wide it is, and where the last one ends.
fn across(items: &[Item], gaps: &[f64]) -> (Vec<(f64, f64)>, f64) {
    let mut x = 0.0;
    let mut columns = Vec::with_capacity(gaps.len());
    for (column, gap) in gaps.iter().enumerate() {
        let wide =
            items.iter().filter(|item| item.column == column).map(|item| item.width).fold(0.0, f64::max);
        columns.push((x, wide));
        x += wide + gap;
    }
    (columns.clone(), columns.last().map_or(0.0, |(left, wide)| left + wide))
}

/// The way of an arrow through its bends.
fn route(at: usize, arrow: &Arrow, items: &[Item], links: &[Link], columns: &[(f64, f64)]) -> Route {
    let side = |item: &Item, right: bool| {
        let (left, wide) = columns.get(item.column).copied().unwrap_or_default();
        // A bend is as wide as its column, so that no line runs over a node beside it.
        let half = if item.bend { wide / 2.0 } else { item.width / 2.0 };
        left + wide / 2.0 + if right { half } else { -half }
    };
    let mut curves = Vec::new();
    for link in links.iter().filter(|link| link.arrow == at) {
        let (Some(left), Some(right)) = (items.get(link.left), items.get(link.right)) else { continue };
        let from = (side(left, true), left.y + end(items, links, link, true));
        let to = (side(right, false), right.y + end(items, links, link, false));
        curves.push((from, to));
    }
    let label = curves.first().map(|((x, y), (to_x, to_y))| ((x + to_x) / 2.0, (y + to_y) / 2.0));
    let column = |node: usize| items.get(node).map_or(0, |item| item.column);
    if column(arrow.from) >= column(arrow.to) {
        curves = curves.into_iter().rev().map(|(from, to)| (to, from)).collect();
    }
    Route { curves, label: label.unwrap_or_default() }
}

/// How far from the middle of a node an arrow ends there: the ends at one side are in the order of where they lead to.
fn end(items: &[Item], links: &[Link], link: &Link, right: bool) -> f64 {
    let here = |link: &Link| if right { link.left } else { link.right };
    let there = |link: &Link| if right { link.right } else { link.left };
    let node = here(link);
    if items.get(node).is_none_or(|item| item.slim) {
        return 0.0;
    }
    let y = |link: &Link| items.get(there(link)).map_or(0.0, |item| item.y);
    let mut ends: Vec<&Link> = links.iter().filter(|other| here(other) == node).collect();
    ends.sort_by(|one, other| y(one).total_cmp(&y(other)).then(one.arrow.cmp(&other.arrow)));
    let place = ends.iter().position(|other| other.arrow == link.arrow).unwrap_or_default();
    (place as f64 - (ends.len().saturating_sub(1)) as f64 / 2.0) * ENDS
}

#[cfg(test)]
mod tests;
