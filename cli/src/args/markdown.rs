//! The reference page of the command line, made from the grammar itself.

use clap::{Arg, Command};
use std::fmt::Write;

const GLOBAL_HEADING: &str = "Global options";

/// Renders the grammar as one Markdown page: a section for each command, global options once.
#[must_use]
pub fn render_markdown(mut root: Command) -> String {
    root.build();
    let mut page = String::from(
        "# The command line\n\n\
         Made from the program's own grammar; `UPDATE_DOCS=1 cargo test -p vectra` rewrites it.\n",
    );
    section(&mut page, &root, root.get_name(), true);
    page
}

fn section(page: &mut String, command: &Command, path: &str, is_root: bool) {
    push(page, &format!("\n## {path}\n"));
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        push(page, &format!("\n{}\n", angle_safe(&about.to_string())));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    push(page, &format!("\n```text\n{usage}\n```\n"));
    arguments(page, command, is_root);
    if let Some(help) = command.get_after_long_help() {
        push(page, &format!("\n```text\n{help}\n```\n"));
    }
    for child in visible(command) {
        section(page, child, &format!("{path} {}", child.get_name()), false);
    }
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help")
}

fn arguments(page: &mut String, command: &Command, is_root: bool) {
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .filter(|arg| is_root || arg.get_help_heading() != Some(GLOBAL_HEADING))
        .collect();
    if shown.is_empty() {
        return;
    }
    push(page, "\n| argument | meaning |\n| --- | --- |\n");
    for arg in shown {
        push(page, &format!("| `{}` | {} |\n", cell(&form(arg)), cell(&meaning(arg))));
    }
}

fn form(arg: &Arg) -> String {
    let values: Vec<String> = arg.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect();
    let values = values.join(" ");
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let flags: Vec<String> = short.into_iter().chain(long).collect();
    match (flags.is_empty(), arg.get_action().takes_values()) {
        (true, _) => values,
        (false, true) => format!("{} {values}", flags.join(", ")),
        (false, false) => flags.join(", "),
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = angle_safe(&arg.get_help().map(ToString::to_string).unwrap_or_default());
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !choices.is_empty() {
        push(&mut text, &format!(": {}", choices.join(", ")));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        push(&mut text, &format!("; default `{}`", defaults.join(",")));
    }
    text
}

/// A `<` in running text would begin an HTML tag.
fn angle_safe(text: &str) -> String {
    text.replace('<', "\\<")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Writing to a String cannot fail.
fn push(page: &mut String, text: &str) {
    let written = page.write_str(text);
    debug_assert!(written.is_ok());
}
