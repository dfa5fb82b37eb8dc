//! How alike two words are, for whoever asks "did you mean ...?".

/// Longest words whose difference is computed.
const COMPARED_MAX: usize = 512;

/// Counts the insertions, removals and replacements that make one text the other.
#[must_use]
pub fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(COMPARED_MAX).collect(), b.chars().take(COMPARED_MAX).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, left) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (column, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

/// Finds the known word that somebody may have meant: at most a third of it is written otherwise.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let ranked = known.into_iter().map(|known| (edit_distance(word, known), known));
    ranked.filter(|(distance, known)| *distance <= (known.chars().count() / 3).max(1)).min().map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_changes() {
        for (a, b, distance) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("backup", "backups", 1), ("ab", "ba", 2)] {
            assert_eq!((edit_distance(a, b), edit_distance(b, a)), (distance, distance), "{a} {b}");
        }
    }

    #[test]
    fn the_nearest_word_is_offered_and_a_strange_one_is_not() {
        let known = ["listen", "concurrency", "tls_key"];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(nearest("concurency", known), Some("concurrency"));
        assert_eq!(nearest("colour", known), None);
    }
}
