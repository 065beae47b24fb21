//! Texts as they come, token by token, one input after another.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::anyhow;
use lookback_infer::data::Keep;
use lookback_infer::error::counted;
use lookback_infer::input::{Columns, Example, Item, Stream};
use lookback_infer::model::{Ask, Model};

use super::ONE_STATE;
use crate::cli::{Unanswered, UsageError, failure, print};

/// Writes the input and what the model writes behind it, a line end behind each; an input that cannot be answered is told, and an
/// empty line stands in its place, unless `strict`: then nothing follows.
pub(super) fn run(
    model: &dyn Model,
    columns: &Columns,
    file: &Path,
    (ask, strict): (&Ask, bool),
) -> anyhow::Result<()> {
    let (mut inputs, mut refused) = (0, 0);
    for item in Stream::open(model.input(), file, columns, &Keep::Nothing)? {
        let Item { line, example, .. } = item?;
        inputs += 1;
        if ask.generate.state_out.is_some() && inputs > 1 {
            return Err(UsageError(ONE_STATE.into()).into());
        }
        let answered = example.map_err(anyhow::Error::from).and_then(|example| answer(model, &example, ask));
        match answered {
            Ok(Written::Whole) => {}
            Ok(Written::Nowhere(error)) => return Err(error),
            Err(error) if strict => return Err(anyhow!(UsageError(failure::sentence(&error)))),
            Err(error) => {
                refused += 1;
                tracing::warn!("line {line}: {}", failure::sentence(&error));
            }
        }
        print("\n")?;
    }
    match refused {
        0 => Ok(()),
        _ => Err(Unanswered(format!("{refused} of {} could not be answered", counted(inputs, "input"))).into()),
    }
}

/// What became of a text.
enum Written {
    Whole,
    /// Nobody reads any more.
    Nowhere(anyhow::Error),
}

fn answer(model: &dyn Model, example: &Example, ask: &Ask) -> anyhow::Result<Written> {
    if let Err(error) = print(example.text().unwrap_or_default()) {
        return Ok(Written::Nowhere(error.into()));
    }
    let mut failed = None;
    rayon::scope(|_| {
        model.answer_as_it_comes(example, ask, &mut |piece| match print(piece) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        })
    })?;
    Ok(failed.map_or(Written::Whole, |error| Written::Nowhere(error.into())))
}
