//! Hints that name what exists.

use launchway_model::closest;

/// Returns a hint naming the nearest name, else all of them if they are few.
pub(crate) fn hint<'a>(what: &str, given: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    const FEW: usize = 12;
    if let Some(name) = closest(given, names.clone()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let all: Vec<&str> = names.into_iter().take(FEW + 1).collect();
    match all.len() {
        0 => None,
        count if count > FEW => None,
        _ => Some(format!("{what}: {}", list(&all))),
    }
}

/// What a placeholder can ask of a target, and of an instance.
pub(crate) const TARGET: [&str; 6] = ["name", "address", "user", "port", "labels", "values"];
pub(crate) const INSTANCE: [&str; 3] = ["component", "target", "id"];

/// Returns what is wrong with a placeholder that asks a target for something it does not have, and a hint.
pub(crate) fn not_of_target(field: Option<&str>) -> (String, Option<String>) {
    let message = "a target has `name`, `address`, `user`, `port`, `labels.NAME` and `values.NAME`";
    (message.to_owned(), did_you_mean("target", field, TARGET))
}

/// Returns what is wrong with a placeholder that asks an instance for something it does not have, and a hint.
pub(crate) fn not_of_instance(field: Option<&str>) -> (String, Option<String>) {
    ("an instance has `component`, `target` and `id`".to_owned(), did_you_mean("instance", field, INSTANCE))
}

fn did_you_mean<const N: usize>(root: &str, field: Option<&str>, known: [&str; N]) -> Option<String> {
    closest(field?, known).map(|near| format!("did you mean `{root}.{near}`?"))
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
        assert_eq!(hint("components", "wbe", ["web", "db"]).as_deref(), Some("did you mean `web`?"));
        assert_eq!(hint("components", "zzz", ["web", "db"]).as_deref(), Some("components: `web`, `db`"));
        assert_eq!(hint("components", "zzz", []), None);
    }
}
