//! Aliases: second names of collections.

use serde::Deserialize;
use serde_json::json;

use super::Call;
use super::answer::{Answer, Outcome};
use crate::host::AliasChange;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    actions: Vec<Action>,
}

#[derive(Deserialize)]
enum Action {
    #[serde(rename = "create_alias")]
    Create(Create),
    #[serde(rename = "delete_alias")]
    Delete(Delete),
    #[serde(rename = "rename_alias")]
    Rename(Rename),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    collection_name: String,
    alias_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    alias_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    old_alias_name: String,
    new_alias_name: String,
}

/// Changes aliases: what is deleted and created in one request moves in one step.
pub(super) fn change(call: &Call<'_>) -> Outcome {
    let changes: Changes = call.json()?;
    let changes: Vec<AliasChange> = changes
        .actions
        .into_iter()
        .map(|action| match action {
            Action::Create(Create { collection_name, alias_name }) => AliasChange::Set { alias: alias_name, collection: collection_name },
            Action::Delete(Delete { alias_name }) => AliasChange::Delete { alias: alias_name },
            Action::Rename(Rename { old_alias_name, new_alias_name }) => AliasChange::Rename { from: old_alias_name, to: new_alias_name },
        })
        .collect();
    call.host.change_aliases(&changes)?;
    Answer::of(&true)
}

/// Lists all aliases.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    described(call, |_| true)
}

/// Lists the aliases of a collection.
pub(super) fn of_collection(name: &str, call: &Call<'_>) -> Outcome {
    let names = call.host.names();
    let (name, _) = names.resolve(name)?;
    described(call, |target| target == name)
}

fn described(call: &Call<'_>, wanted: impl Fn(&str) -> bool) -> Outcome {
    let names = call.host.names();
    let aliases: Vec<_> = names
        .aliases
        .iter()
        .filter(|(_, collection)| wanted(collection))
        .map(|(alias, collection)| json!({"alias_name": alias, "collection_name": collection}))
        .collect();
    Answer::of(&json!({"aliases": aliases}))
}
