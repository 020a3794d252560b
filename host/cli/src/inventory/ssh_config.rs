//! Hosts of an SSH client's configuration: their names only, since the client itself reads the rest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::resolve::Failure;
use crate::project::read_text;

/// How deep files may include one another, as in the client.
const MAX_DEPTH: usize = 16;

/// Returns the names of `Host` lines that match the patterns, sorted. Relative files that are included start at `folder`.
pub(super) fn hosts(file: &Path, folder: &Path, patterns: &[String]) -> Result<BTreeSet<String>, Failure> {
    let mut names = BTreeSet::new();
    read(file, folder, 0, &mut names)?;
    names.retain(|name| {
        let (without, with): (Vec<&String>, Vec<&String>) = patterns.iter().partition(|word| word.starts_with('!'));
        with.iter().any(|pattern| matches(pattern, name)) && !without.iter().any(|word| matches(&word[1..], name))
    });
    Ok(names)
}

fn read(file: &Path, folder: &Path, depth: usize, names: &mut BTreeSet<String>) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        let message = format!("{} is included too deeply", file.display());
        return Err(Failure::new(message, "do files include one another?"));
    }
    let text = read_text(file)?;
    for line in text.lines() {
        let (keyword, arguments) = split(line);
        match keyword.to_ascii_lowercase().as_str() {
            // What `*` stands for is no host, nor is what `!` excludes.
            "host" => names.extend(arguments.into_iter().filter(|name| !name.contains(['*', '?', '!']))),
            "include" => {
                for pattern in arguments {
                    for included in included(folder, &pattern) {
                        read(&included, folder, depth + 1, names)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Splits a line into its keyword and the arguments, of which some may stand in quotes.
fn split(line: &str) -> (&str, Vec<String>) {
    let line = line.trim();
    let end = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut arguments = Vec::new();
    let mut rest = rest.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        arguments.push(word.to_owned());
        rest = after.trim_start();
    }
    (keyword, arguments)
}

/// Returns the files that a pattern stands for, sorted: none is no error, as in the client.
fn included(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let path = match (pattern.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(pattern),
    };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return if path.is_file() { vec![path] } else { Vec::new() };
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|found| !found.starts_with('.') && matches(name, found)))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// Whether a text is what a pattern with `*` and `?` stands for.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where to go on if what follows the last `*` does not fit: one character later.
    let mut again: Option<(usize, usize)> = None;
    while place < text.len() {
        match pattern.get(at) {
            Some('*') => {
                again = Some((at, place));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[place] => (at, place) = (at + 1, place + 1),
            _ => match &mut again {
                Some((star, from)) => {
                    *from += 1;
                    (at, place) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, patterns: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config"), text).unwrap();
        std::fs::create_dir(folder.path().join("more")).unwrap();
        std::fs::write(folder.path().join("more/b.conf"), "Host shop-b\n").unwrap();
        std::fs::write(folder.path().join("more/a.conf"), "Host shop-a\nInclude loop\n").unwrap();
        std::fs::write(folder.path().join("loop"), "Include loop\n").unwrap();
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        match hosts(&folder.path().join("config"), folder.path(), &patterns) {
            Ok(names) => names.into_iter().collect(),
            Err(failure) => vec![failure.message],
        }
    }

    #[test]
    fn names_that_match_are_found() {
        let text = "# Host shop-0\nHost shop-1 shop-2 # shop-3\n  HostName 198.18.0.1\nhost=\"shop-4\"\n\
                    HOST * !shop-5 other\nHost shop-?x\nMatch host shop-6\n";
        assert_eq!(found(text, &["shop-*"]), ["shop-1", "shop-2", "shop-4"]);
        assert_eq!(found(text, &["*", "!shop-?"]), ["other"]);
        assert_eq!(found(text, &["!shop-1"]), Vec::<String>::new());
        assert_eq!(found(text, &["shop-[12]"]), Vec::<String>::new());
        assert_eq!(found("", &["*"]), Vec::<String>::new());
    }

    #[test]
    fn included_files_are_read() {
        assert_eq!(found("Include more/b.conf nothing/*.conf nothing\nHost x\n", &["*"]), ["shop-b", "x"]);
        let deep = found("Include more/*.conf\n", &["*"]);
        assert!(deep[0].ends_with("is included too deeply"), "{deep:?}");
    }

    #[test]
    fn patterns_match_as_in_the_client() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "ä", true),
            ("??", "a", false),
            ("*ab", "aab", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
