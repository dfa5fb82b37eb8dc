//! `vectra man`: the manual, one page for each command, made from the grammar.

use crate::args::Cli;
use crate::exit::Failure;
use crate::output::Output;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use engine::ErrorKind;
use platform::World;
use std::path::Path;

/// Prints the first page, or writes all of them into a directory.
pub(super) fn run(out: &Output, output: Option<&Path>) -> Result<(), Failure> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let Some(dir) = output else { return out.raw(&page(&root)?) };
    let world = World::real();
    world.fs.create_dir_all(dir)?;
    let mut all = Vec::new();
    pages(&root, &mut all)?;
    for (name, page) in &all {
        platform::fs::write_file_durably(&*world.fs, &dir.join(name), page)?;
    }
    out.result(&format!("{} pages in {}", all.len(), dir.display()))
}

/// Makes the pages of a command and of those below it, with the names of their files.
fn pages(command: &Command, into: &mut Vec<(String, Vec<u8>)>) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    into.push((format!("{name}.1"), page(command)?));
    command.get_subcommands().filter(|child| !child.is_hide_set()).try_for_each(|child| pages(child, into))
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let rendered = Man::new(command.clone()).render(&mut page);
    rendered.map_err(|error| Failure::new(ErrorKind::Internal, format!("a page cannot be made: {error}")))?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_of_its_own_that_names_it_and_keeps_its_examples() {
        let mut root = Cli::command().disable_help_subcommand(true);
        root.build();
        let mut all = Vec::new();
        pages(&root, &mut all).unwrap();
        let text = |name: &str| {
            let found = all.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name} is no page"));
            String::from_utf8(found.1.clone()).unwrap()
        };
        assert!(text("vectra.1").starts_with(".ie") || text("vectra.1").contains(".TH vectra 1"), "{}", text("vectra.1"));
        assert!(text("vectra-collections-backup.1").contains("vectra collections backup"));
        assert!(text("vectra-serve.1").contains("VECTRA_API_KEY_FILE"));
        let names: std::collections::BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
        assert!(names.len() == all.len() && all.len() > 30, "{names:?}");
    }
}
