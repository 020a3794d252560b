//! Tables in HAProxy's answers, read by the names of their columns: other versions have others, in other places.

/// A table: a line `# NAME…`, rows, and an empty line or the end.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// What lies between two fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Separator {
    /// With quotes around what holds a comma, as `show stat` answers.
    Comma,
    /// As `show servers state` answers.
    Blank,
}

/// A row, by its columns.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    columns: &'a [String],
    fields: &'a [String],
}

impl Table {
    /// Returns the first table of an answer that has all these columns.
    pub(crate) fn find(answer: &str, separator: Separator, columns: &[&str]) -> Option<Self> {
        let mut rest = answer;
        while let Some((line, below)) = rest.split_once('\n') {
            if let Some(names) = line.strip_prefix("# ") {
                let (names, _) = separator.record(names);
                if columns.iter().all(|column| names.iter().any(|name| name == column)) {
                    return Some(Self { columns: names, rows: rows(below, separator) });
                }
            }
            rest = below;
        }
        None
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|fields| Row { columns: &self.columns, fields })
    }
}

impl<'a> Row<'a> {
    /// Returns a field; an empty text where the row or the table has none.
    pub(crate) fn get(self, column: &str) -> &'a str {
        let at = self.columns.iter().position(|name| name == column);
        at.and_then(|at| self.fields.get(at)).map_or("", String::as_str)
    }

    /// Returns a field as a number; none where it is no number.
    pub(crate) fn number(self, column: &str) -> Option<u64> {
        self.get(column).parse().ok()
    }
}

fn rows(mut rest: &str, separator: Separator) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    while !rest.is_empty() && !rest.starts_with('\n') && !rest.starts_with("# ") {
        let (fields, below) = separator.record(rest);
        rows.push(fields);
        rest = below;
    }
    rows
}

impl Separator {
    /// Reads the fields of a line, which are more lines if a quoted one holds a line break; returns what is below, too.
    fn record(self, text: &str) -> (Vec<String>, &str) {
        if self == Self::Blank {
            let (line, below) = text.split_once('\n').unwrap_or((text, ""));
            return (line.split_whitespace().map(str::to_owned).collect(), below);
        }
        let mut fields = Vec::new();
        let mut field = String::new();
        let mut is_quoted = false;
        let mut characters = text.char_indices().peekable();
        while let Some((at, c)) = characters.next() {
            match c {
                // Doubled, it is one that belongs to the field.
                '"' if is_quoted && characters.next_if(|(_, next)| *next == '"').is_some() => field.push('"'),
                '"' => is_quoted = !is_quoted,
                ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
                '\n' if !is_quoted => {
                    fields.push(field);
                    return (fields, &text[at + 1..]);
                }
                c => field.push(c),
            }
        }
        fields.push(field);
        (fields, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column<'a>(table: &'a Table, name: &str) -> Vec<&'a str> {
        table.rows().map(|row| row.get(name)).collect()
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let answer = "1\n# be_name srv_name srv_admin_state\napi app1 8\napi app2 0\n\n\
                      # scur,new,svname,pxname\n3,x,app1,api\n,,app2,api\n\nmore\n";
        let states = Table::find(answer, Separator::Blank, &["srv_name", "srv_admin_state"]).unwrap();
        assert_eq!(column(&states, "srv_admin_state"), ["8", "0"]);
        let stat = Table::find(answer, Separator::Comma, &["pxname", "svname"]).unwrap();
        assert_eq!(column(&stat, "svname"), ["app1", "app2"]);
        assert_eq!(stat.rows().map(|row| row.number("scur")).collect::<Vec<_>>(), [Some(3), None]);
        assert_eq!(Table::find(answer, Separator::Comma, &["pxname", "status"]), None);
    }

    #[test]
    fn quoted_fields_hold_anything() {
        let answer = "# svname,last_chk,status\napp1,\"no, \"\"really\"\"\nnot\",DOWN\napp2,\"\",UP\n";
        let table = Table::find(answer, Separator::Comma, &["svname"]).unwrap();
        assert_eq!(column(&table, "last_chk"), ["no, \"really\"\nnot", ""]);
        assert_eq!(column(&table, "status"), ["DOWN", "UP"]);
    }

    #[test]
    fn odd_answers_do_no_harm() {
        let answer = "# a,b\n1,2,3\n4\n\"5,6\n\n# a,b\né,\"";
        for end in (0..=answer.len()).filter(|end| answer.is_char_boundary(*end)) {
            for separator in [Separator::Comma, Separator::Blank] {
                let table = Table::find(&answer[..end], separator, &["a"]);
                table.iter().flat_map(Table::rows).for_each(|row| {
                    let _ = (row.get("b"), row.number("a"));
                });
            }
        }
        for answer in ["", "\n", "#", "# ", "# \n", "\n\n# a", "\"", "#a,b\n1,2", "# a\r\n1\r\n"] {
            assert!(Table::find(answer, Separator::Comma, &["b"]).is_none(), "{answer:?}");
        }
    }

    #[test]
    fn a_table_ends_where_another_begins() {
        let table = Table::find("# a,b\n1,2\n# c,d\n3,4\n", Separator::Comma, &["a"]).unwrap();
        assert_eq!(column(&table, "b"), ["2"]);
    }
}
