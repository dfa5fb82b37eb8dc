//! The words of a text, as filters compare them: runs of letters and digits, in lower case.
//!
//! This is Qdrant's default tokeniser for a field without a text index of other settings. A text index here has no other: a tokeniser,
//! a stemmer or a list of stop words that a client asks for is not used.

/// Cuts a text into its words, in order.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Words that are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of them, in any order; none are found nowhere. Sorted, without repetition.
    All(Vec<String>),
    /// One of them. Sorted, without repetition.
    Any(Vec<String>),
    /// All of them, one after the other; none are found nowhere.
    Phrase(Vec<String>),
}

impl Wanted {
    /// Takes the words of a query of which all are wanted.
    #[must_use]
    pub fn all(query: &str) -> Wanted {
        Wanted::All(once(query))
    }

    /// Takes the words of a query of which one is enough.
    #[must_use]
    pub fn any(query: &str) -> Wanted {
        Wanted::Any(once(query))
    }

    /// Takes the words of a query that are wanted in their order.
    #[must_use]
    pub fn phrase(query: &str) -> Wanted {
        Wanted::Phrase(words(query).collect())
    }

    /// Says whether a text holds what is wanted.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        match self {
            Wanted::All(wanted) => {
                let mut open: Vec<&String> = wanted.iter().collect();
                !wanted.is_empty()
                    && words(text).any(|word| {
                        open.retain(|wanted| **wanted != word);
                        open.is_empty()
                    })
            }
            Wanted::Any(wanted) => words(text).any(|word| wanted.binary_search(&word).is_ok()),
            Wanted::Phrase(wanted) => {
                let found: Vec<String> = words(text).collect();
                !wanted.is_empty() && found.windows(wanted.len()).any(|window| window == wanted.as_slice())
            }
        }
    }
}

fn once(query: &str) -> Vec<String> {
    let mut found: Vec<String> = words(query).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let found: Vec<String> = words("The GRÜNE-fox_2, it's 3.5!").collect();
        assert_eq!(found, ["the", "grüne", "fox", "2", "it", "s", "3", "5"]);
        assert_eq!(words(" _-! ").count(), 0);
    }

    #[test]
    fn all_any_and_phrase_differ() {
        let text = "the quick brown fox, the end";
        for (query, all, any, phrase) in [
            ("Quick fox", true, true, false),
            ("brown FOX", true, true, true),
            ("fox the", true, true, true),
            ("the the", true, true, false),
            ("fox cat", false, true, false),
            ("qui", false, false, false),
            ("", false, false, false),
            ("-!", false, false, false),
        ] {
            let found = [Wanted::all(query), Wanted::any(query), Wanted::phrase(query)].map(|wanted| wanted.is_in(text));
            assert_eq!(found, [all, any, phrase], "{query}");
        }
    }
}
