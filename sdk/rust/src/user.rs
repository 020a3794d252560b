//! Names of users and groups on a target.

use crate::Problem;

/// Returns what is wrong with a user's or group's name, if one is given, for the property at `at`.
pub fn user_problems(at: &str, name: Option<&str>) -> Vec<Problem> {
    let Some(name) = name else { return Vec::new() };
    let message = if name.is_empty() {
        "a name can't be empty"
    } else if name.starts_with('-') {
        "a name can't begin with `-`"
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace() || c == ':' || c == '/') {
        "a name can't contain blanks, `:` or `/`"
    } else {
        return Vec::new();
    };
    vec![Problem::new(at, message)]
}

#[cfg(test)]
mod tests {
    use super::user_problems;

    #[test]
    fn names_that_could_be_options_are_refused() {
        for name in ["", "-R", "a b", "a:b", "a\nb", "a/b"] {
            assert_eq!(user_problems("/owner", Some(name)).len(), 1, "{name:?}");
        }
        assert_eq!(user_problems("/owner", Some("www-data")), []);
        assert_eq!(user_problems("/owner", None), []);
    }
}
