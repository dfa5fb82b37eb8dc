//! A bucket: objects by key, uploads in parts, and the pages of a list.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use bytes::Bytes;

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub bytes: Bytes,
    pub modified: SystemTime,
    /// Rises from put to put: the tag, and what tells the newest.
    pub number: u64,
}

/// An upload in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    pub key: String,
    /// By number: tag and bytes.
    pub parts: BTreeMap<i32, (u64, Bytes)>,
}

#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, Upload>,
}

/// What a list is asked for.
pub(crate) struct Asked<'a> {
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    /// Keys up to this one were listed before.
    pub after: Option<&'a str>,
    pub len_max: usize,
    /// The newest objects that are left out.
    pub stale: usize,
}

/// A page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub objects: Vec<(String, Object)>,
    pub folders: BTreeSet<String>,
    /// The last key that was looked at, when there are more.
    pub next: Option<String>,
}

impl Bucket {
    pub fn list(&self, asked: &Asked<'_>) -> Page {
        let mut numbers: Vec<u64> = self.objects.values().map(|object| object.number).collect();
        numbers.sort_unstable();
        let newest = numbers.len().checked_sub(asked.stale).and_then(|at| numbers.get(at)).copied();
        let oldest_left_out = if asked.stale >= numbers.len() && asked.stale > 0 { Some(0) } else { newest };
        let mut page = Page::default();
        let mut last = None;
        for (key, object) in self.objects.range(asked.prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(asked.prefix) else { break };
            if asked.after.is_some_and(|after| key.as_str() <= after) || oldest_left_out.is_some_and(|number| object.number >= number) {
                continue;
            }
            let folder = asked.delimiter.and_then(|delimiter| rest.split_once(delimiter).map(|(name, _)| (name, delimiter)));
            let folder = folder.map(|(name, delimiter)| format!("{}{name}{delimiter}", asked.prefix));
            let is_known = folder.as_ref().is_some_and(|folder| page.folders.contains(folder));
            if !is_known && page.objects.len() + page.folders.len() == asked.len_max {
                page.next = last;
                return page;
            }
            match folder {
                Some(folder) => drop(page.folders.insert(folder)),
                None => page.objects.push((key.clone(), object.clone())),
            }
            last = Some(key.clone());
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole_list_whatever_their_length() {
        let keys = ["a", "b/1", "b/2", "c/1", "d", "e"];
        let object = |number| Object { bytes: Bytes::new(), modified: SystemTime::UNIX_EPOCH, number };
        let objects = keys.iter().enumerate().map(|(number, key)| ((*key).to_owned(), object(number as u64))).collect();
        let bucket = Bucket { objects, ..Bucket::default() };
        for (delimiter, expected) in [(None, vec!["a", "b/1", "b/2", "c/1", "d", "e"]), (Some("/"), vec!["a", "b/", "c/", "d", "e"])] {
            for len_max in 1..8 {
                let (mut found, mut after) = (Vec::new(), None);
                loop {
                    let asked = Asked { prefix: "", delimiter, after: after.as_deref(), len_max, stale: 0 };
                    let page = bucket.list(&asked);
                    assert!(page.objects.len() + page.folders.len() <= len_max);
                    found.extend(page.objects.iter().map(|(key, _)| key.clone()).chain(page.folders));
                    after = page.next;
                    if after.is_none() {
                        break;
                    }
                }
                found.sort();
                found.dedup();
                assert_eq!(found, expected, "pages of {len_max}");
            }
        }
        for (stale, count) in [(0, 6), (1, 5), (6, 0), (9, 0)] {
            let asked = Asked { prefix: "", delimiter: None, after: None, len_max: 100, stale };
            assert_eq!(bucket.list(&asked).objects.len(), count, "{stale} left out");
        }
    }
}
