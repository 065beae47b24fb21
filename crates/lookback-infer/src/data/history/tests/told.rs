//! What is told of how a file was read.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// Keeps the messages of events with their levels.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().expect("no test panics here").push(format!("{} {}", event.metadata().level(), message.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is told while a file is read, with its level and without the folder.
fn told(name: &str, content: &str, options: &HistoryOptions) -> Vec<String> {
    let kept = Kept::default();
    let read = tracing::subscriber::with_default(kept.clone(), || read(name, content, options));
    assert!(read.contains('['), "{read}");
    let short = |message: &String| {
        let (level, rest) = message.split_once(' ').expect("a level");
        format!("{level} {name}{}", rest.split_once(name).expect("the file").1)
    };
    kept.0.lock().expect("no test panics here").iter().map(short).collect()
}

#[test]
fn one_line_says_what_was_found() {
    let table = "unique_id,ds,y,x,plan,kind,note\na,2020-01-31,1,2,3,p,n\na,2020-02-29,,2,3,p,n\na,2020-03-31,3,2,3,p,n\n\
                 b,2020-01-31,1,2,3,q,n\n";
    let options = HistoryOptions { past: names(&["x"]), future: names(&["plan"]), statics: names(&["kind"]), ..all() };
    let expected = "INFO a.csv: UTF-8, commas between the columns, with a header, 2 series of 1 to 3 steps, every month end; id from column \
                    \"unique_id\", time from \"ds\" (dates of ISO 8601), target from \"y\", past covariates from \"x\", future covariates \
                    from \"plan\", values of a whole series from \"kind\"; 1 of 4 values of targets are missing; left aside: column \"note\"";
    assert_eq!(told("a.csv", table, &options), [expected]);
    let bare = "INFO a.csv: UTF-8, semicolons between the columns, without a header, 1 series of 2 steps, every 1; one series, steps in the \
                order of the rows, target from 2; left aside: column 1; numbers with decimal commas";
    assert_eq!(told("a.csv", "x;1,5\nz;2\n", &all()), [bare]);
    let wide = told("a.json", "[{\"ds\":\"2020-01-01\",\"p\":1},{\"ds\":\"2020-01-02\",\"p\":1}]", &wide());
    let expected = "INFO a.json: UTF-8, a JSON array, 1 series of 2 steps, every day; a column per series (wide), time from column \"ds\" \
                    (dates of ISO 8601)";
    assert_eq!(wide, [expected]);
}

#[test]
fn gaps_and_what_is_left_out_are_told() {
    let gaps = told("a.csv", "id,time,y\na,1,1\na,2,2\na,5,5\nb,1,1\nb,3,3\nb,4,4\n", &all());
    let expected = "WARN a.csv: 3 steps are missing in 2 series, the first behind the time \"2\" on line 3; without a row a step has no values";
    assert_eq!(gaps.first().map(String::as_str), Some(expected));
    let training = HistoryOptions { ends_at_target: true, ..all() };
    let left_out = told("a.csv", "id,time,y\na,1,1\na,2,2\nb,1,\nb,2,\n", &training);
    let expected = "WARN a.csv: left out, for no row has a target: 1 series, the first of them \"b\" on line 4";
    assert_eq!(left_out.first().map(String::as_str), Some(expected));
    let behind = HistoryOptions { past: names(&["x"]), ..all() };
    let behind = told("a.csv", "time,y,x\n1,1,1\n2,2,1\n3,,1\n", &behind);
    assert!(behind[0].ends_with("; 1 value of past covariates behind the last target left out"), "{behind:?}");
}
