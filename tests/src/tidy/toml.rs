//! The few forms of TOML that the manifests of this repository use.

/// A `key = value` line and the table that it stands in.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Line, from 1.
    pub line: usize,
    /// The table's name, "" at the top.
    pub table: &'a str,
    /// The key as written, dots included.
    pub key: &'a str,
    /// The text behind the equals sign; of a value over several lines, the first.
    pub value: &'a str,
}

/// The entries of `text`, one for each line with an equals sign outside a comment.
pub fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut found = Vec::new();
    let mut table = "";
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.trim_matches(|c| c == '[' || c == ']').trim();
        } else if let Some((key, value)) = line.split_once('=') {
            found.push(Entry { line: index + 1, table, key: key.trim(), value: value.trim() });
        }
    }
    found
}

/// A crate that a manifest depends on.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Line, from 1.
    pub line: usize,
    /// The crate's name: that of `package = "..."` where one is given, else the key.
    pub name: String,
}

/// The dependencies of a crate's manifest: ordinary, for tests, for build scripts, for some targets.
pub fn dependencies(text: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    for entry in entries(text) {
        let (section, from_table) = match entry.table.rsplit_once('.') {
            Some((before, name)) if before.ends_with("dependencies") => (before, Some(name)),
            _ => (entry.table, None),
        };
        if !section.ends_with("dependencies") {
            continue;
        }
        let key = from_table.unwrap_or(entry.key.split('.').next().unwrap_or(entry.key));
        let is_rename = entry.key == "package" || entry.key.ends_with(".package");
        let value = if is_rename { Some(entry.value) } else { package_of(entry.value) };
        let name = value.map_or(key, |quoted| quoted.trim_matches('"')).to_string();
        let dependency = Dependency { line: entry.line, name };
        if !found.iter().any(|earlier: &Dependency| earlier.name == dependency.name) {
            found.push(dependency);
        }
    }
    found
}

/// The name in an inline table's `package = "name"`.
fn package_of(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("package")?;
    rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_dependency_is_seen() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = \"1\" # c = 2\n\
                    d = { path = \"../d\", package = \"real-d\" }\n[dev-dependencies.e]\nversion = \"1\"\n\
                    [target.'cfg(unix)'.dependencies]\nf = { version = \"1\" }\n[lints]\nworkspace = true\n";
        let names: Vec<_> = dependencies(text).into_iter().map(|dependency| dependency.name).collect();
        assert_eq!(names, ["a", "b", "real-d", "e", "f"]);
    }
}
