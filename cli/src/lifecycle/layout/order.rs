//! In which order the items of each column stand.

/// How often each column is ordered by its neighbours.
const PASSES: usize = 24;

/// The items of each column from top to bottom, in an order in which few links cross: each goes to the mean place of those
/// that it is linked with, forth and back, and the best order that was seen counts. Links lead to the next column.
pub fn order(columns: &[usize], links: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let count = columns.iter().max().map_or(0, |last| last + 1);
    let mut stacks: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (item, column) in columns.iter().enumerate() {
        stacks.get_mut(*column).into_iter().for_each(|stack| stack.push(item));
    }
    let mut best = (crossings(&stacks, columns, links), stacks.clone());
    for pass in 0..PASSES {
        let forth = pass % 2 == 0;
        for at in 1..count {
            let at = if forth { at } else { count - 1 - at };
            let places = places(&stacks, columns.len());
            let place = |item: usize| places.get(item).copied().unwrap_or_default();
            let wanted = |item: usize| {
                let beside = links.iter().filter_map(|(left, right)| match forth {
                    true => (*right == item).then_some(*left),
                    false => (*left == item).then_some(*right),
                });
                let (sum, found) =
                    beside.fold((0.0, 0.0), |(sum, found), other| (sum + place(other), found + 1.0));
                if found > 0.0 { sum / found } else { place(item) }
            };
            let Some(stack) = stacks.get_mut(at) else { continue };
            // Where two want the same place they stay in their order.
            let mut keyed: Vec<(f64, usize)> = stack.iter().map(|item| (wanted(*item), *item)).collect();
            keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
            *stack = keyed.into_iter().map(|(_, item)| item).collect();
        }
        let crossed = crossings(&stacks, columns, links);
        if crossed < best.0 {
            best = (crossed, stacks.clone());
        }
    }
    best.1
}

/// The place of each item in its column, counted from the middle so that columns of different lengths compare.
fn places(stacks: &[Vec<usize>], items: usize) -> Vec<f64> {
    let mut places = vec![0.0; items];
    for stack in stacks {
        let middle = stack.len().saturating_sub(1) as f64 / 2.0;
        for (place, item) in stack.iter().enumerate() {
            places.get_mut(*item).into_iter().for_each(|slot| *slot = place as f64 - middle);
        }
    }
    places
}

/// How many pairs of links cross.
fn crossings(stacks: &[Vec<usize>], columns: &[usize], links: &[(usize, usize)]) -> usize {
    let places = places(stacks, columns.len());
    let place = |item: usize| places.get(item).copied().unwrap_or_default();
    let mut by_column: Vec<Vec<(f64, f64)>> = vec![Vec::new(); stacks.len()];
    for (left, right) in links {
        let column = columns.get(*left).and_then(|column| by_column.get_mut(*column));
        column.into_iter().for_each(|links| links.push((place(*left), place(*right))));
    }
    let crossed = |links: &Vec<(f64, f64)>| {
        let pairs = links
            .iter()
            .enumerate()
            .flat_map(|(at, one)| links.iter().skip(at + 1).map(move |other| (one, other)));
        pairs.filter(|(one, other)| (one.0 - other.0) * (one.1 - other.1) < 0.0).count()
    };
    by_column.iter().map(crossed).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_untangled() {
        // Two columns of three, linked crosswise.
        let columns = [0, 0, 0, 1, 1, 1];
        let links = [(0, 5), (1, 4), (2, 3)];
        let stacks = order(&columns, &links);
        assert_eq!(crossings(&stacks, &columns, &links), 0, "{stacks:?}");
        assert_eq!(crossings(&[vec![0, 1, 2], vec![3, 4, 5]], &columns, &links), 3);
        assert_eq!(order(&[], &[]), Vec::<Vec<usize>>::new());
    }
}
