//! The configuration's reference, and the examples in it.

use std::path::Path;

use launchway_model::Sources;
use launchway_model::config::{parse_application, parse_environment, reference_markdown};

/// `UPDATE_DOCS=1` writes the page instead.
#[test]
fn the_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/configuration.md is out of date: run the tests with UPDATE_DOCS=1");
}

#[test]
fn the_examples_are_valid() {
    let page = reference_markdown();
    let example = |kind: &str| {
        let (_, rest) = page.split_once(&format!("```yaml {kind}\n")).expect("there is an example");
        rest.split("```").next().expect("it ends").to_owned()
    };
    parse_application(&mut Sources::default(), "example", &example("application")).expect("the example is right");
    parse_environment(&mut Sources::default(), "example", &example("environment")).expect("the example is right");
}

#[test]
fn links_lead_to_headings() {
    let page = reference_markdown();
    let anchors: Vec<String> = page
        .lines()
        .filter_map(|line| Some(line.trim_start_matches('#').strip_prefix(' ')?.to_lowercase().replace(' ', "-")))
        .collect();
    let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(anchors.iter().any(|anchor| anchor == link), "no heading for #{link}");
    }
}
