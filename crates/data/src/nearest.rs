//! The name that someone who misspelt one most likely meant.

/// The one of `names` that is nearest to `wanted`, if one is near enough to be a misspelling of it.
///
/// Near is equal but for case, or at most a third of the letters changed, added, dropped or swapped with a neighbour
/// (optimal string alignment distance).
///
/// # Example
/// ```
/// let names = ["abundances", "endmembers", "wavelength"];
/// assert_eq!(cupel_data::nearest_name("endmembres", names), Some("endmembers"));
/// assert_eq!(cupel_data::nearest_name("x", names), None);
/// ```
pub fn nearest_name<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    let near = wanted.len() / 3;
    names
        .into_iter()
        .map(|name| (distance(&wanted, &name.to_lowercase().chars().collect::<Vec<_>>()), name))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the dynamic programme: swapping neighbours looks two rows back.
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_changes_additions_losses_and_swaps() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ca", "abc", 3)]
        {
            assert_eq!(distance(&letters(a), &letters(b)), expected, "{a} {b}");
        }
    }

    #[test]
    fn only_a_likely_misspelling_is_suggested() {
        let names = ["drug", "gene", "allele", "Größe"];
        assert_eq!(nearest_name("allel", names), Some("allele"));
        assert_eq!(nearest_name("GENE", names), Some("gene"));
        assert_eq!(nearest_name("grösse", names), Some("Größe"));
        assert_eq!(nearest_name("dose", names), None);
        assert_eq!(nearest_name("", names), None);
    }
}
