//! Figures in a table, as the documentation has them.

/// A Markdown table that is printed row by row.
pub(crate) struct Table;

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        println!("| {} |", head.join(" | "));
        println!("|{}", "---|".repeat(head.len()));
        Self
    }

    pub(crate) fn row(&self, cells: &[String]) {
        println!("| {} |", cells.join(" | "));
    }
}

/// Returns a time with three digits that mean something.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.1} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

pub(crate) fn memory(mib: f64) -> String {
    format!("{mib:.0} MiB")
}

/// Returns how many times as much.
pub(crate) fn ratio(ours: f64, theirs: f64) -> String {
    format!("{:.1}×", theirs / ours)
}
