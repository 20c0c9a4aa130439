//! The known word that somebody who wrote an unknown one may have meant.

/// Longer words are not compared: nobody mistypes them into something known, and the comparison is quadratic.
const COMPARED: usize = 128;

/// The known word that differs least, where it differs little: in a third of its letters, about, and in none when it is
/// shorter than three. Upper and lower case are alike.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > COMPARED {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let near = known.into_iter().filter(|known| known.len() <= COMPARED).filter_map(|known| {
        let letters: Vec<char> = known.to_lowercase().chars().collect();
        let most = if letters.len() < 3 { 0 } else { (letters.len() + 1) / 3 };
        let apart = distance(&word, &letters);
        (apart <= most).then_some((apart, known))
    });
    near.min().map(|(_, known)| known)
}

/// How many letters must be put in, taken out, changed or swapped with the next (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (place, letter) in left.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        let mut inserted = place + 1;
        next.push(inserted);
        for (at, (other, above)) in right.iter().zip(row.windows(2)).enumerate() {
            let [changed, removed] = *above else { continue };
            let swapped = at > 0
                && place > 0
                && right.get(at - 1) == Some(letter)
                && left.get(place - 1) == Some(other);
            let swap =
                before.get(at.wrapping_sub(1)).filter(|_| swapped).map_or(usize::MAX, |apart| apart + 1);
            inserted = (changed + usize::from(letter != other)).min(removed + 1).min(inserted + 1).min(swap);
            next.push(inserted);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_slips() {
        let of = |left: &str, right: &str| {
            distance(&left.chars().collect::<Vec<_>>(), &right.chars().collect::<Vec<_>>())
        };
        assert_eq!(of("kitten", "sitting"), 3);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("abc", ""), 3);
        assert_eq!(of("abc", "abc"), 0);
        assert_eq!(of("window", "widow"), 1);
        assert_eq!(of("lvie", "live"), 1);
        assert_eq!(of("ca", "abc"), 3);
    }

    #[test]
    fn only_what_is_near_is_offered() {
        let known = ["class", "tier", "live", "judge"];
        assert_eq!(nearest("clas", known), Some("class"));
        assert_eq!(nearest("JUDGE", known), Some("judge"));
        assert_eq!(nearest("lvie", known), Some("live"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("D", ["A", "B"]), None);
        assert_eq!(nearest("b", ["A", "B"]), Some("B"));
        assert_eq!(nearest(&"class".repeat(99), known), None);
    }
}
