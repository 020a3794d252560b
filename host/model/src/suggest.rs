//! Guesses what somebody meant to write.

/// Returns the candidate that a misspelt word most likely means, if one is near enough.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn finds_typing_errors_but_no_strangers() {
        let names = ["path", "mode", "owner", "template"];
        assert_eq!(closest("pth", names), Some("path"));
        assert_eq!(closest("Mode", names), Some("mode"));
        assert_eq!(closest("tempalte", names), Some("template"));
        assert_eq!(closest("whatever", names), None);
        assert_eq!(closest("x", ["y"]), None);
        assert_eq!(closest("", names), None);
    }

    #[test]
    fn ties_go_to_the_first_by_name() {
        assert_eq!(closest("app3", ["app2", "app1"]), Some("app1"));
    }
}
