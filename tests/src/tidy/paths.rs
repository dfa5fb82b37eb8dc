//! The paths (`a::b::c`) that Rust code names, with `use` trees written out.

/// A path, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// Line, from 1.
    pub line: usize,
    /// Its segments joined by `::`, without a leading `::`. A macro call is a path of any length.
    pub path: String,
}

impl NamedPath {
    /// The first segment: a crate, `crate`, `self`, `super`, or a name in scope.
    pub fn root(&self) -> &str {
        self.path.split("::").next().unwrap_or("")
    }

    /// True when the path is `prefix` or lies below it.
    pub fn is_within(&self, prefix: &str) -> bool {
        self.path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Separator,
    Mark(char),
}

/// Every path in `code`, whose comments and literals are already blanked.
pub fn named_paths(code: &str) -> Vec<NamedPath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = match tokens[at].1 {
            Token::Word("use") if kind(&tokens, at + 1) != Some(Token::Mark('<')) => use_tree(&tokens, at + 1, "", &mut found),
            Token::Word(_) if continues(&tokens, at) => at + 1,
            Token::Word(_) => inline_path(&tokens, at, &mut found),
            _ => at + 1,
        };
    }
    found
}

fn kind<'a>(tokens: &[(usize, Token<'a>)], at: usize) -> Option<Token<'a>> {
    tokens.get(at).map(|(_, token)| *token)
}

/// True for the `c` of `<A as B>::c` and of `a::<T>::c`: it is not the start of a path.
fn continues(tokens: &[(usize, Token<'_>)], at: usize) -> bool {
    at >= 2 && tokens[at - 1].1 == Token::Separator && tokens[at - 2].1 == Token::Mark('>')
}

fn inline_path(tokens: &[(usize, Token<'_>)], from: usize, found: &mut Vec<NamedPath>) -> usize {
    let mut segments = Vec::new();
    let mut at = from;
    while let Some(Token::Word(word)) = kind(tokens, at) {
        segments.push(word);
        at += 1;
        if kind(tokens, at) != Some(Token::Separator) {
            break;
        }
        at += 1;
    }
    let is_macro = kind(tokens, at) == Some(Token::Mark('!'));
    if segments.len() > 1 || is_macro {
        found.push(NamedPath { line: tokens[from].0, path: segments.join("::") });
    }
    at.max(from + 1)
}

/// Reads one branch of a `use` tree; returns where the next one starts.
fn use_tree(tokens: &[(usize, Token<'_>)], from: usize, prefix: &str, found: &mut Vec<NamedPath>) -> usize {
    let mut path = prefix.to_string();
    let mut at = from;
    while let Some(token) = kind(tokens, at) {
        match token {
            Token::Word("as") => at += 1,
            Token::Word(word) => {
                if !path.is_empty() {
                    path.push_str("::");
                }
                path.push_str(word);
            }
            Token::Separator | Token::Mark('*') => {}
            Token::Mark('{') => {
                at += 1;
                while !matches!(kind(tokens, at), None | Some(Token::Mark('}' | ';'))) {
                    at = use_tree(tokens, at, &path, found);
                    at += usize::from(kind(tokens, at) == Some(Token::Mark(',')));
                }
                return at + 1;
            }
            Token::Mark(_) => break,
        }
        at += 1;
    }
    let line = tokens.get(from).map_or(0, |(line, _)| *line);
    found.push(NamedPath { line, path });
    at.max(from + 1)
}

fn tokens(code: &str) -> Vec<(usize, Token<'_>)> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            let (token, length) = if is_part(first) {
                let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                (Token::Word(&rest[..length]), length)
            } else if rest.starts_with("::") {
                (Token::Separator, 2)
            } else {
                (Token::Mark(first), first.len_utf8())
            };
            found.push((index + 1, token));
            rest = rest[length..].trim_start();
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(code: &str) -> Vec<String> {
        named_paths(code).into_iter().map(|named| named.path).collect()
    }

    #[test]
    fn a_use_tree_is_written_out() {
        let code = "use std::{fs::{self, File}, time as t,\n env};\nuse a::*; pub use ::b;";
        assert_eq!(all(code), ["std::fs::self", "std::fs::File", "std::time", "std::env", "a", "b"]);
        assert_eq!(named_paths(code)[3].line, 2);
    }

    #[test]
    fn paths_inside_expressions_and_macros_are_named() {
        let code = "let a = std::fs::read(b)?; c::<u8>::d(); is_here!(x); $crate::e::f(); g.h()";
        assert_eq!(all(code), ["std::fs::read", "is_here", "crate::e::f"]);
    }

    #[test]
    fn a_capture_list_is_not_an_import() {
        assert_eq!(all("fn a() -> impl B + use<'c, D> { e::f() }"), ["e::f"]);
    }

    #[test]
    fn a_prefix_matches_whole_segments() {
        let named = NamedPath { line: 1, path: "std::time::Instant".into() };
        assert!(named.is_within("std::time") && !named.is_within("std::ti"));
        assert_eq!(named.root(), "std");
    }
}
