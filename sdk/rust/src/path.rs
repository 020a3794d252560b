//! Paths on a target. The target's system need not be this one's, so they are texts.

use crate::Problem;

/// Folders that belong to the system: nothing replaces or removes them as a whole.
const PROTECTED: [&str; 24] = [
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/var",
];

/// Whether a path is a folder that belongs to the system.
pub fn is_protected(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    PROTECTED.contains(&if path.is_empty() { "/" } else { path })
}

/// Returns a path's last part.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Returns the folder that a path is in.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(at) => &path[..at],
    }
}

/// Returns what is wrong with a path that an instance owns, for the property at `at`.
pub fn path_problems(at: &str, path: &str) -> Vec<Problem> {
    let message = if !path.starts_with('/') {
        "the path must be absolute"
    } else if path.chars().any(char::is_control) {
        "a path can't contain control characters"
    } else if path.split('/').any(|part| part == "." || part == "..") {
        "the path can't contain `.` or `..`"
    } else if path.ends_with('/') {
        "the path can't end with `/`"
    } else if path.split('/').skip(1).any(str::is_empty) {
        "the path can't contain `//`"
    } else if is_protected(path) {
        "this folder belongs to the system"
    } else {
        return Vec::new();
    };
    vec![Problem::new(at, message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!((parent("/a/b c"), file_name("/a/b c")), ("/a", "b c"));
        assert_eq!((parent("/a"), file_name("/a")), ("/", "a"));
    }

    #[test]
    fn only_plain_absolute_paths_are_owned() {
        for path in ["/opt/shop", "/opt/my shop/ü", "/srv/-x", "/opt/..a"] {
            assert_eq!(path_problems("/path", path), [], "{path}");
        }
        for path in ["", "opt", "/", "/etc", "/opt/../etc", "/a/./b", "/a//b", "/a/", "/a\nb", "/usr/"] {
            assert_eq!(path_problems("/path", path).len(), 1, "{path}");
        }
    }
}
