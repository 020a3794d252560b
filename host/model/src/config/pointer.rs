//! JSON Pointers (RFC 6901), the addresses of values in a document.

use std::borrow::Cow;

/// Appends a token, escaped.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Returns the pointer of a member or item of what `parent` points to.
pub fn join(parent: &str, token: &str) -> String {
    let mut pointer = String::with_capacity(parent.len() + token.len() + 1);
    pointer.push_str(parent);
    push(&mut pointer, token);
    pointer
}

/// Returns the pointer's tokens, unescaped; none for the whole document.
pub fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|token| {
        if token.contains('~') { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
    })
}

/// Returns the pointer without its last token; none for the whole document.
pub fn parent(pointer: &str) -> Option<&str> {
    pointer.rfind('/').map(|at| &pointer[..at])
}

/// Returns the last token, unescaped; none for the whole document.
pub fn last(pointer: &str) -> Option<Cow<'_, str>> {
    let at = pointer.rfind('/')?;
    tokens(&pointer[at..]).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_way_through_a_pointer() {
        for token in ["", "a", "a/b", "~", "~1", "m~n/o", "ü x"] {
            let pointer = join("/components", token);
            assert_eq!(tokens(&pointer).collect::<Vec<_>>(), ["components", token]);
            assert_eq!(parent(&pointer), Some("/components"));
            assert_eq!(last(&pointer).as_deref(), Some(token));
        }
        assert_eq!(tokens("").count(), 0);
        assert_eq!(parent(""), None);
        assert_eq!(last(""), None);
    }
}
