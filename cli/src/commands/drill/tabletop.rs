//! `vectra drill tabletop`: a scenario to go through, and who did.

use crate::args::DrillTabletop;
use crate::commands::session::Session;
use crate::exit::Failure;
use pitr::drill::history::{Entry, draw_id, keep};
use pitr::drill::tabletop::{SCENARIOS, Subject, scenario};
use serde_json::json;

/// Lists the scenarios, or prints one and records it.
pub(super) fn run(session: &Session<'_>, args: &DrillTabletop) -> Result<(), Failure> {
    let Some(name) = &args.scenario else { return list(session) };
    let Some(chosen) = scenario(name) else {
        let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        let failure = Failure::not_found(format!("there is no scenario \"{}\"", name.escape_debug())).with_object(name);
        return Err(failure.with_hint(format!("there are: {}", names.join(", "))));
    };
    let database = session.look()?;
    let state = database.state();
    let archived = match &args.collection {
        Some(name) => {
            let (name, _) = state.resolve(name)?;
            Some((name.to_owned(), state.archives.get(name).map(|settings| settings.url.clone())))
        }
        None => state.archives.iter().next().map(|(name, settings)| (name.clone(), Some(settings.url.clone()))),
    };
    let unnamed = Subject::default();
    let subject = archived.map_or(unnamed.clone(), |(name, url)| Subject { name, archive: url.unwrap_or(unnamed.archive) });
    let participants = args.participants.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let (id, now) = draw_id(&session.world);
    let report = chosen.report(id, now, &subject, participants, args.notes.clone());
    keep(&session.world, database.dir(), &Entry::Tabletop(report.clone()))?;
    if session.out.is_json() {
        return session.out.result_json(&report);
    }
    session.out.result(report.as_markdown().trim_end())
}

fn list(session: &Session<'_>) -> Result<(), Failure> {
    for scenario in &SCENARIOS {
        if session.out.is_json() {
            session.out.row_json(&json!({"scenario": scenario.name, "title": scenario.title}))?;
        } else {
            session.out.row(&format!("{:<16} {}", scenario.name, scenario.title))?;
        }
    }
    Ok(())
}
