//! Text that shells must not misread.

use std::fmt::Write as _;

/// Quotes a text as one word of a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    quoted.push_str(&text.replace('\'', r"'\''"));
    quoted.push('\'');
    quoted
}

/// Quotes a text for people to copy, where it needs to be.
pub(crate) fn quote_if_needed(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quote(text) }
}

/// Wraps a POSIX script in a command line that any login shell passes on unharmed.
///
/// A user's login shell may be csh or fish, whose single quotes are not as quiet as a POSIX shell's: csh minds `!` and
/// line ends in them, fish the backslash before a quote or another backslash. So what stands between the quotes is
/// plain, and `printf` brings back the rest.
pub(crate) fn for_any_login_shell(script: &str) -> String {
    let mut line = String::with_capacity(script.len() * 3 / 2 + 64);
    line.push_str(r#"exec /bin/sh -c 'eval "$(printf %b ""#);
    push_escaped(script.as_bytes(), b"'\"\\$`!", &mut line);
    line.push_str(r#"")"'"#);
    line
}

/// Writes bytes so that a `printf %b` gives them back, in one line of plain characters.
pub(crate) fn escape_line(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len() * 2);
    push_escaped(bytes, b"\\", &mut line);
    line
}

fn push_escaped(bytes: &[u8], special: &[u8], line: &mut String) {
    for &byte in bytes {
        if (b' '..=b'~').contains(&byte) && !special.contains(&byte) {
            line.push(char::from(byte));
        } else {
            write!(line, "\\0{byte:03o}").expect("a String takes all");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// What a shell's `printf %s` makes of the words.
    fn printed(shell: &[&str], line: &str) -> Vec<u8> {
        let output = Command::new(shell[0]).args(&shell[1..]).arg(line).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn words_come_back_from_a_real_shell(words in prop::collection::vec("[^\0]{0,12}", 0..5)) {
            let script = words.iter().fold("printf '<%s>'".to_owned(), |line, word| line + " " + &quote(word));
            let wanted: String = match words.as_slice() {
                [] => "<>".to_owned(),
                words => words.iter().map(|word| format!("<{word}>")).collect(),
            };
            prop_assert_eq!(printed(&["/bin/sh", "-c"], &script), wanted.as_bytes());
            prop_assert_eq!(printed(&["/bin/sh", "-c"], &for_any_login_shell(&script)), wanted.as_bytes());
            prop_assert_eq!(printed(&["bash", "-c"], &for_any_login_shell(&script)), wanted.as_bytes());
        }

        #[test]
        fn bytes_come_back_from_an_escaped_line(bytes in prop::collection::vec(1u8.., 0..40)) {
            let script = format!("printf %b {}", quote(&escape_line(&bytes)));
            prop_assert_eq!(printed(&["/bin/sh", "-c"], &script), bytes);
        }
    }

    #[test]
    fn what_other_login_shells_mind_is_not_in_the_line() {
        let line = for_any_login_shell("a!b\nc\\d'e\"f$g`h\u{e9}");
        let inside = line.strip_prefix("exec /bin/sh -c '").unwrap().strip_suffix('\'').unwrap();
        assert!(!inside.contains(['\'', '!', '\n', '`']), "{line}");
        assert!(!inside.contains("\\\\"), "{line}");
    }
}
