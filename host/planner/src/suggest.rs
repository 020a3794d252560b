//! "Did you mean": the nearest of the names that exist.

/// Returns the name that resembles `given` most, if any does: at most a third of its letters have to change.
pub(crate) fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    names
        .into_iter()
        .map(|name| (strsim::osa_distance(&given, &name.to_lowercase()), name))
        .filter(|(distance, name)| distance * 3 <= given.chars().count().max(name.chars().count()))
        .min()
        .map(|(_, name)| name)
}

/// Returns a hint naming the nearest name, else all of them if they are few.
pub(crate) fn hint<'a>(what: &str, given: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    const FEW: usize = 12;
    if let Some(name) = nearest(given, names.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let all: Vec<&str> = names.into_iter().take(FEW + 1).collect();
    match all.len() {
        0 => None,
        count if count > FEW => None,
        _ => Some(format!("{what}: {}", list(&all))),
    }
}

/// Returns names in back quotes, joined by commas.
pub(crate) fn list<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("wbe", ["web", "database"]), Some("web"));
        assert_eq!(nearest("zzz", ["web", "database"]), None);
        assert_eq!(hint("components", "zzz", ["web", "db"]).as_deref(), Some("components: `web`, `db`"));
        assert_eq!(hint("components", "zzz", []), None);
    }
}
