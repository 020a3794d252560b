//! `writes`: which paths on its target, and which systemd units, an instance owns.

use std::sync::Arc;

use serde_json::Value;

/// A top-level property that is a path on the target, or a unit's name, and what of it the instance owns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Writes {
    pub property: String,
    pub extent: Extent,
}

/// How much an instance owns at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Extent {
    /// What is there, but not what others put into it.
    Path,
    /// All there is in it, too.
    Tree,
    /// All there is in it if this property is true.
    TreeIf(Arc<str>),
    /// All there is in these of its members.
    Below(Vec<String>),
    /// The systemd unit of that name, and its file in `/etc/systemd/system` if one of these properties is given.
    Unit(Vec<String>),
}

impl Extent {
    pub(super) const EXPECTED: &str =
        "true, false, `\"tree\"`, `{\"tree\": PROPERTY}`, `{\"below\": [NAME, …]}` or `{\"unit\": [PROPERTY, …]}`";

    /// Reads a keyword's value: an error if it is none, nothing if the path belongs to nobody.
    pub(super) fn read(value: &Value) -> Result<Option<Self>, ()> {
        match value {
            Value::Bool(owned) => Ok(owned.then_some(Self::Path)),
            Value::String(text) if text == "tree" => Ok(Some(Self::Tree)),
            Value::Object(members) if members.len() == 1 => {
                let name = |value: &Value| value.as_str().filter(|name| !name.is_empty()).map(str::to_owned).ok_or(());
                let names = |key| {
                    let names = members.get(key)?.as_array()?;
                    Some(names.iter().map(name).collect::<Result<Vec<String>, ()>>())
                };
                match (members.get("tree"), names("below"), names("unit")) {
                    (Some(property), ..) => Ok(Some(Self::TreeIf(name(property)?.into()))),
                    (_, Some(names), _) => Ok(Some(Self::Below(names?))),
                    (.., Some(properties)) => Ok(Some(Self::Unit(properties?))),
                    _ => Err(()),
                }
            }
            _ => Err(()),
        }
    }
}
