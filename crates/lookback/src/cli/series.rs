//! The series of a file, by their ids.

use std::path::Path;

use lookback_infer::data::Keep;
use lookback_infer::input::{Columns, Example, Item, Stream};
use lookback_infer::model::Model;

use super::UsageError;

/// Ids of series that are told at most.
const TOLD: usize = 5;

/// The series of a file with this id, or the only one.
pub(super) fn one(model: &dyn Model, file: &Path, id: Option<&str>) -> anyhow::Result<Example> {
    let columns = Columns::default();
    let mut found: Option<Example> = None;
    let mut ids = Vec::new();
    for item in Stream::open(model.input(), file, &columns, &Keep::Nothing)? {
        let example = item?.example?;
        let own = id_of(&example);
        if id.is_none_or(|id| id == own) && found.is_none() {
            found = Some(example);
        }
        ids.push(own);
    }
    let name = file.display();
    match (found, id) {
        (Some(_), None) if ids.len() > 1 => {
            let problem = format!("{name} has {} series; --series names one: {}", ids.len(), shown(&ids));
            Err(UsageError(problem).into())
        }
        (Some(example), _) => Ok(example),
        (None, Some(id)) => Err(no_such(file, id, &ids).into()),
        (None, None) => Err(UsageError(format!("{name} has no series")).into()),
    }
}

/// The inputs of a file whose ids are among these, and those that cannot be read, whatever their ids are.
///
/// # Errors
/// If the file has no series of one of the ids, or cannot be read.
pub(super) fn only(stream: Stream<'_>, wanted: &[String]) -> anyhow::Result<Vec<Item>> {
    let file = stream.name().to_owned();
    let (mut kept, mut ids) = (Vec::new(), Vec::new());
    for item in stream {
        let item = item?;
        if let Ok(example) = &item.example {
            let own = id_of(example);
            let is_wanted = wanted.contains(&own);
            ids.push(own);
            if !is_wanted {
                continue;
            }
        }
        kept.push(item);
    }
    match wanted.iter().find(|id| !ids.contains(id)) {
        Some(id) => Err(no_such(&file, id, &ids).into()),
        None => Ok(kept),
    }
}

fn id_of(example: &Example) -> String {
    example.history().map(|history| history.id.clone()).unwrap_or_default()
}

fn no_such(file: &Path, id: &str, ids: &[String]) -> UsageError {
    UsageError(format!("--series: {} has no {id:?}; it has {}", file.display(), shown(ids)))
}

/// The first ids, for people.
fn shown(ids: &[String]) -> String {
    let shown: Vec<String> = ids.iter().take(TOLD).map(|id| format!("{id:?}")).collect();
    format!("{}{}", shown.join(", "), if ids.len() > TOLD { " and others" } else { "" })
}
