//! Which database a command means: a pure choice among flags, environment and the default directory.

use crate::args::Globals;
use crate::exit::{Failure, usage};
use std::path::{Path, PathBuf};

/// What the user said, by flag and by environment. An empty variable counts as unset.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--url`
    pub url: Option<String>,
    /// `VECTRA_DATA_DIR`
    pub env_data_dir: Option<PathBuf>,
    /// `VECTRA_URL`
    pub env_url: Option<String>,
    /// The user's home directory, from the password database.
    pub home: Option<PathBuf>,
}

impl Said {
    /// Collects what the flags, the environment of this process and the password database say.
    #[must_use]
    pub fn gather(globals: &Globals) -> Self {
        Self {
            data_dir: globals.data_dir.clone(),
            url: globals.url.clone(),
            env_data_dir: std::env::var_os("VECTRA_DATA_DIR").map(PathBuf::from),
            env_url: std::env::var_os("VECTRA_URL").map(|url| url.to_string_lossy().into_owned()),
            home: platform::process::home_directory(),
        }
    }
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a directory of this machine.
    Directory(PathBuf),
    /// Behind the URL of a server.
    Server(String),
}

impl Place {
    /// Gives the directory.
    ///
    /// # Errors
    /// A usage failure when it is a server: the command cannot go through one.
    pub fn directory(self) -> Result<PathBuf, Failure> {
        match self {
            Place::Directory(directory) => Ok(directory),
            Place::Server(url) => Err(no_server(&url)),
        }
    }
}

/// Chooses the database: a flag beats every variable, a variable the default `~/.local/share/vectra`.
///
/// # Errors
/// A usage failure when two places are named on one level, or when nothing is named and the user has no home directory.
pub fn choose(said: &Said) -> Result<Place, Failure> {
    let flags = (said.data_dir.as_deref(), said.url.as_deref());
    let variables =
        (said.env_data_dir.as_deref().filter(|path| !path.as_os_str().is_empty()), said.env_url.as_deref().filter(|url| !url.is_empty()));
    match (flags, variables) {
        ((Some(_), Some(_)), _) => Err(usage("--data-dir and --url name two databases").with_hint("give one of them")),
        ((Some(directory), None), _) => directory_of(directory, "--data-dir").map(Place::Directory),
        ((None, Some(url)), _) => Ok(Place::Server(url.to_owned())),
        (_, (Some(_), Some(_))) => {
            Err(usage("VECTRA_DATA_DIR and VECTRA_URL name two databases").with_hint("unset one of them, or give --data-dir"))
        }
        (_, (Some(directory), None)) => directory_of(directory, "VECTRA_DATA_DIR").map(Place::Directory),
        (_, (None, Some(url))) => Ok(Place::Server(url.to_owned())),
        (_, (None, None)) => match &said.home {
            Some(home) => Ok(Place::Directory(home.join(".local/share/vectra"))),
            None => Err(usage("cannot tell which database is meant: this user has no home directory")
                .with_hint("give --data-dir or set VECTRA_DATA_DIR")),
        },
    }
}

fn directory_of(directory: &Path, origin: &str) -> Result<PathBuf, Failure> {
    if directory.as_os_str().is_empty() {
        return Err(usage(format!("{origin} is empty")).with_hint("a variable in a script may be unset"));
    }
    Ok(directory.to_path_buf())
}

fn no_server(url: &str) -> Failure {
    usage(format!("this command opens a data directory, and cannot go through the server at \"{}\"", without_secret(url)))
        .with_hint("give --data-dir")
}

/// Drops `user:password@` from a URL before it is printed.
fn without_secret(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ErrorKind;

    fn said(flags: [Option<&str>; 2], variables: [Option<&str>; 2]) -> Said {
        Said {
            data_dir: flags[0].map(PathBuf::from),
            url: flags[1].map(str::to_owned),
            env_data_dir: variables[0].map(PathBuf::from),
            env_url: variables[1].map(str::to_owned),
            home: Some(PathBuf::from("/home/ada")),
        }
    }

    fn at(directory: &str) -> Place {
        Place::Directory(PathBuf::from(directory))
    }

    #[test]
    fn a_flag_beats_every_variable() {
        for variables in [[None, None], [Some("/env"), None], [None, Some("http://env")], [Some("/env"), Some("http://env")]] {
            assert_eq!(choose(&said([Some("/flag"), None], variables)).unwrap(), at("/flag"));
            assert_eq!(choose(&said([None, Some("http://flag")], variables)).unwrap(), Place::Server("http://flag".to_owned()));
        }
    }

    #[test]
    fn a_variable_beats_the_default() {
        assert_eq!(choose(&said([None, None], [Some("/env"), None])).unwrap(), at("/env"));
        assert_eq!(choose(&said([None, None], [None, Some("http://env")])).unwrap(), Place::Server("http://env".to_owned()));
    }

    #[test]
    fn two_places_on_one_level_are_a_usage_error() {
        for said in [
            said([Some("/flag"), Some("http://flag")], [None, None]),
            said([Some("/flag"), Some("http://flag")], [Some("/env"), Some("http://env")]),
            said([None, None], [Some("/env"), Some("http://env")]),
        ] {
            assert_eq!(choose(&said).unwrap_err().kind, ErrorKind::Usage, "{said:?}");
        }
    }

    #[test]
    fn the_default_is_below_the_home_directory_and_never_an_address() {
        assert_eq!(choose(&said([None, None], [None, None])).unwrap(), at("/home/ada/.local/share/vectra"));
        assert_eq!(choose(&said([None, None], [Some(""), Some("")])).unwrap(), at("/home/ada/.local/share/vectra"));
        let homeless = Said { home: None, ..said([None, None], [None, None]) };
        assert_eq!(choose(&homeless).unwrap_err().kind, ErrorKind::Usage);
    }

    #[test]
    fn an_empty_flag_is_an_unset_variable_in_a_script() {
        assert_eq!(choose(&said([Some(""), None], [None, None])).unwrap_err().kind, ErrorKind::Usage);
    }

    #[test]
    fn a_password_in_a_url_is_not_printed() {
        let place = choose(&said([None, Some("http://ada:secret@host/x@y")], [None, None])).unwrap();
        let failure = place.directory().unwrap_err();
        assert!(!failure.to_string().contains("secret"), "{failure}");
        assert!(failure.to_string().contains("http://host/x@y"), "{failure}");
    }
}
