//! How targets are called and logged in to, as far as no SSH client could mistake it for something else.

use crate::IdError;

pub(crate) const ADDRESS: &str = "launchway-address";
pub(crate) const USER: &str = "launchway-user";
pub(crate) const JUMP: &str = "launchway-jump";

/// Says why a text is no host name and no IP address.
pub(crate) fn check_address(text: &str) -> Result<(), IdError> {
    check_word("an address", text, &['@', '/', '\'', '"'])
}

/// Says why a text is no user's name: what a shell would act on is in none, and SSH clients refuse it.
pub(crate) fn check_user(text: &str) -> Result<(), IdError> {
    check_word(
        "a user's name",
        text,
        &['\'', '"', '`', '$', ';', '&', '<', '>', '|', '(', ')', '{', '}', '*', '?', '!', '#'],
    )
}

/// Says why a text is no host on the way.
pub(crate) fn check_jump(text: &str) -> Result<(), IdError> {
    let plain = |c: char| c.is_alphanumeric() || "._:@[]%-+".contains(c);
    let (user, host) = text.rsplit_once('@').unwrap_or(("user", text));
    let usable = |word: &str| !word.is_empty() && !word.starts_with('-');
    if text.chars().all(plain) && usable(user) && usable(host) { Ok(()) } else { Err(IdError::Jump) }
}

fn check_word(what: &'static str, text: &str, forbidden: &[char]) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.starts_with('-') {
        return Err(IdError::Dash { what });
    }
    let unusable = |c: &char| c.is_whitespace() || c.is_control() || forbidden.contains(c);
    match text.chars().find(unusable) {
        Some(character) => Err(IdError::Character { what, character }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_could_mistake_is_refused() {
        for address in ["host", "198.18.0.1", "::1", "[fe80::1%eth0]", "höst.example", "under_score"] {
            assert_eq!(check_address(address), Ok(()), "{address}");
        }
        for address in ["", "-oProxyCommand=x", "a b", "a\nb", "user@host", "ssh://host", "a'b", "\u{7}"] {
            assert!(check_address(address).is_err(), "{address}");
        }
        for user in ["deploy", "DOMAIN\\deploy", "deploy@example.org", "x-y_z.1"] {
            assert_eq!(check_user(user), Ok(()), "{user}");
        }
        for user in ["", "-l", "a b", "$(x)", "a;b", "a`b", "a|b", "a'b", "a\u{7}b"] {
            assert!(check_user(user).is_err(), "{user}");
        }
        for jump in ["host", "u@host", "u@host:22", "[::1]:22"] {
            assert_eq!(check_jump(jump), Ok(()), "{jump}");
        }
        for jump in ["", "-x", "u@-x", "-u@x", "@x", "u@", "a b", "a,b", "$(x)"] {
            assert_eq!(check_jump(jump), Err(IdError::Jump), "{jump}");
        }
    }
}
