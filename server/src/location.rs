//! Locations of archives as they are shown to whoever reads metrics and logs.

/// Gives a location as it was configured, without what may be a secret.
pub(crate) fn shown_location(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
            let host = host.rsplit('@').next().unwrap_or_default();
            path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"))
        }
        None => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_shown_without_what_may_be_a_secret() {
        for (url, shown) in [
            ("s3://bucket/vectra", "s3://bucket/vectra"),
            ("s3://key:secret@bucket/vectra?token=secret", "s3://bucket/vectra"),
            ("s3://user:p@ss@host", "s3://host"),
            ("/mnt/archive", "/mnt/archive"),
        ] {
            assert_eq!(shown_location(url), shown);
        }
    }
}
