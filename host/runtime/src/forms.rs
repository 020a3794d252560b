//! The encodings in which secrets are looked for.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A piece of base64 shorter than this says too little to be told from chance.
const SHORTEST_BASE64: usize = 6;

/// Returns what of the value's base64 does not depend on what stands before or after it, for each of the three ways
/// in which it can lie across the groups of three bytes.
pub(crate) fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(value);
        let (from, to) = ((8 * offset).div_ceil(6), 8 * shifted.len() / 6);
        if to.saturating_sub(from) < SHORTEST_BASE64 {
            continue;
        }
        forms.push(STANDARD_NO_PAD.encode(&shifted).as_bytes()[from..to].to_vec());
        forms.push(URL_SAFE_NO_PAD.encode(&shifted).as_bytes()[from..to].to_vec());
    }
    forms
}

/// Returns the value as it may stand in URLs: programs differ in what they leave as it is.
pub(crate) fn percent_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let encode = |safe: &[u8], upper: bool, plus: bool| {
        let mut text = String::new();
        for &byte in value {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
                _ if safe.contains(&byte) => text.push(char::from(byte)),
                b' ' if plus => text.push('+'),
                _ if upper => write!(text, "%{byte:02X}").expect("a String takes all"),
                _ => write!(text, "%{byte:02x}").expect("a String takes all"),
            }
        }
        text.into_bytes()
    };
    let safe: [&[u8]; 3] = [b"", b"/", b"!'()*"];
    let ways = [(true, false), (false, false), (true, true), (false, true)];
    safe.iter().flat_map(|safe| ways.map(|(upper, plus)| encode(safe, upper, plus))).collect()
}

/// Returns the text as it may stand in JSON: programs differ in what they write as `\u` and a number.
pub(crate) fn json_forms(text: &str) -> Vec<Vec<u8>> {
    let encode = |escaped: &str, ascii: bool, slash: bool, upper: bool| {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '/' if slash => out.push_str("\\/"),
                c if escaped.contains(c) || ascii && !c.is_ascii() => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let written = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
                        written.expect("a String takes all");
                    }
                }
                c => {
                    let quoted = serde_json::to_string(&c).expect("a character is JSON");
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
            }
        }
        out.into_bytes()
    };
    let mut forms = Vec::new();
    for escaped in ["", "<>&", "<>&'", "<>&'\"+`"] {
        for ascii in [false, true] {
            for slash in [false, true] {
                forms.extend([true, false].map(|upper| encode(escaped, ascii, slash, upper)));
            }
        }
    }
    forms
}

/// Returns the value's hexadecimal digits.
pub(crate) fn hex_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut lower = String::with_capacity(2 * value.len());
    for byte in value {
        write!(lower, "{byte:02x}").expect("a String takes all");
    }
    vec![lower.to_ascii_uppercase().into_bytes(), lower.into_bytes()]
}
