//! Which column each node goes to.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};

/// The column of each node: one more than the farthest of those that lead to it, so the longest way from the start decides.
/// Arrows that lead back are left out; `first` stands alone in the first column.
pub fn columns(count: usize, arrows: &[(usize, usize)], first: Option<usize>) -> Vec<usize> {
    let line = line_up(count, arrows, &depths(count, arrows, first));
    let mut places = vec![0; count];
    for (place, node) in line.iter().enumerate() {
        places.get_mut(*node).into_iter().for_each(|slot| *slot = place);
    }
    let place = |node: usize| places.get(node).copied().unwrap_or_default();
    let mut columns: Vec<usize> =
        (0..count).map(|node| usize::from(first.is_some_and(|first| first != node))).collect();
    for node in line {
        let column = columns.get(node).copied().unwrap_or_default();
        for (_, to) in arrows.iter().filter(|(from, to)| *from == node && place(*to) > place(node)) {
            columns.get_mut(*to).into_iter().for_each(|slot| *slot = (column + 1).max(*slot));
        }
    }
    columns
}

/// How many arrows it takes to come to each node; more than there are for those that none lead to.
fn depths(count: usize, arrows: &[(usize, usize)], first: Option<usize>) -> Vec<usize> {
    let mut depths = vec![count; count];
    let mut open: VecDeque<(usize, usize)> = first.map(|node| (node, 0)).into_iter().collect();
    while let Some((node, depth)) = open.pop_front() {
        let Some(known) = depths.get_mut(node).filter(|known| **known > depth) else { continue };
        *known = depth;
        open.extend(arrows.iter().filter(|(from, _)| *from == node).map(|(_, to)| (*to, depth + 1)));
    }
    depths
}

/// Nodes in a line, in which few arrows lead back (after Eades, Lin and Smyth, 1993): those that nothing leads to come
/// first, those that lead nowhere last, and when there are none of either, the one that is nearest to the start.
fn line_up(count: usize, arrows: &[(usize, usize)], depths: &[usize]) -> Vec<usize> {
    let (mut line, mut end) = (Vec::with_capacity(count), Vec::new());
    let mut rest: BTreeSet<usize> = (0..count).collect();
    while !rest.is_empty() {
        let among = |node: usize| {
            let within = arrows.iter().filter(|(from, to)| rest.contains(from) && rest.contains(to));
            let (mut out, mut into) = (0i64, 0i64);
            for (from, to) in within {
                out += i64::from(*from == node);
                into += i64::from(*to == node);
            }
            (out, into)
        };
        let degrees: Vec<_> = rest.iter().map(|node| (*node, among(*node))).collect();
        let source = degrees.iter().find(|(_, (_, into))| *into == 0);
        let sink = degrees.iter().find(|(_, (out, _))| *out == 0);
        let depth = |node: usize| depths.get(node).copied().unwrap_or(count);
        let nearest =
            degrees.iter().min_by_key(|(node, (out, into))| (depth(*node), Reverse(out - into), *node));
        let (next, list) = match (source, sink, nearest) {
            (Some((node, _)), _, _) => (*node, &mut line),
            (None, Some((node, _)), _) => (*node, &mut end),
            (None, None, Some((node, _))) => (*node, &mut line),
            (None, None, None) => break,
        };
        list.push(next);
        rest.remove(&next);
    }
    line.extend(end.into_iter().rev());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_way_decides_and_ways_back_do_not() {
        // 0 -> 1 -> 2 -> 3, a shortcut, a way back, and one that nothing leads to.
        let arrows = [(0, 1), (1, 2), (2, 3), (1, 3), (3, 1), (4, 3)];
        assert_eq!(columns(5, &arrows, Some(0)), [0, 1, 2, 3, 1]);
        // A ring is cut where it comes near to the start again.
        assert_eq!(columns(4, &[(0, 2), (2, 3), (3, 1), (1, 2)], Some(0)), [0, 3, 1, 2]);
        assert_eq!(columns(3, &[(0, 1), (1, 2), (2, 0)], None), [0, 1, 2]);
        assert_eq!(columns(2, &[], Some(1)), [1, 0]);
        assert_eq!(columns(0, &[], None), Vec::<usize>::new());
    }
}
