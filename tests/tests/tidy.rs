//! The house rules over the real tree, and the proof that each of them can fail.

use vectra_tests::tidy::{File, Offence, RULES, Rule};
use vectra_tests::tree;

#[test]
fn the_tree_keeps_every_rule_of_the_house() {
    let root = tree::repository_root();
    let files = tree::load(&root).unwrap();
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "no workspace at {}", root.display());
    let mut report = String::new();
    for rule in RULES {
        for offence in (rule.check)(&files) {
            report.push_str(&format!("{offence} [{}]\n", rule.name));
        }
    }
    assert!(report.is_empty(), "the rules are in STYLE.md; broken here:\n{report}");
}

#[test]
fn every_rule_reports_its_offender() {
    for rule in RULES {
        let controls = (rule.controls)();
        assert!(!controls.is_empty(), "rule {} has no control", rule.name);
        for control in controls {
            let found = check(rule, &control.offending);
            let says_so = found.iter().any(|offence| offence.to_string().contains(control.says));
            assert!(says_so, "rule {} must say {:?}, it said {found:#?}", rule.name, control.says);
        }
    }
}

#[test]
fn no_rule_reports_a_clean_file() {
    for rule in RULES {
        for control in (rule.controls)() {
            let found = check(rule, &control.clean);
            assert!(found.is_empty(), "rule {} reports the clean twin of {:?}: {found:#?}", rule.name, control.says);
        }
    }
}

#[test]
fn rules_have_names_of_their_own() {
    let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
}

fn check(rule: &Rule, files: &[File]) -> Vec<Offence> {
    (rule.check)(files)
}
