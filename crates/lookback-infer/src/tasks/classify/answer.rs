//! What a classifier says of an input.

use serde_json::{Map, Value, json};

use super::LabelsPerText;
use super::model::{Classifier, Prediction, is_pooling};
use crate::error::{PlanError, plan};
use crate::input::Example;
use crate::model::{Ask, Field, Shape, View};

impl Classifier {
    /// Refuses what is asked for and means nothing, and tells what may be misunderstood.
    pub(super) fn check_answers(&self, ask: &Ask) -> Result<(), PlanError> {
        if let Some(top) = ask.top {
            plan::at_least(1, "top", top)?;
        }
        ask.unsure.check()?;
        if self.description().plan.labels_per_text == LabelsPerText::Several {
            let of_one = [("margin", ask.unsure.margin.is_some()), ("unknown", ask.unsure.label.is_some())];
            if let Some((option, _)) = of_one.iter().find(|(_, said)| *said) {
                let problem = "is for a model of one label a text, but this one answers with several or none";
                return Err(PlanError::conflict(option, problem));
            }
        }
        if let Some(label) = ask.unsure.label.as_ref().filter(|label| self.labels().contains(label)) {
            tracing::warn!("--unknown {label:?} is one of the model's own labels; \"unsure\" tells the two apart");
        }
        Ok(())
    }

    pub(super) fn answer_fields(&self, ask: &Ask) -> Vec<Field> {
        let mut fields = match self.description().plan.labels_per_text {
            LabelsPerText::One => vec![Field::value("label"), Field::value("probability").of_tables()],
            LabelsPerText::Several => vec![Field::value("labels")],
        };
        // The first of one label stands under its own name.
        let (first, most) = match self.description().plan.labels_per_text {
            LabelsPerText::One => (2, ask.top.unwrap_or(1)),
            LabelsPerText::Several => (1, ask.top.unwrap_or(0)),
        };
        for place in first..=most.min(self.labels().len()) {
            fields.extend(next_names(place).map(|name| Field::value(name).of_tables()));
        }
        let labels = Shape::Values(self.labels().to_vec());
        fields.push(Field { shape: labels, ..Field::value("probabilities").of_objects() });
        fields.push(Field::value("unsure"));
        let (plan, is_text) = (&self.description().plan, self.description().input.text().is_some());
        if is_text {
            fields.extend(["tokens", "unknown_tokens", "cut_tokens"].map(|name| Field::value(name).of_objects()));
        }
        let pairs = plan.encoder.attention.pair_heads() > 0 || plan.encoder.attention.pools();
        let shown = [("pieces", is_text), ("weights", plan.has_weights()), ("views", pairs)];
        let shown = shown.into_iter().filter(|(_, there)| *there && ask.views);
        fields.extend(shown.map(|(name, _)| Field::lists(name)));
        fields
    }

    pub(super) fn json(&self, prediction: &Prediction, example: &Example, ask: &Ask) -> Map<String, Value> {
        // The likeliest first; equal ones in the order of the labels, for the sort is stable.
        let mut likeliest: Vec<(&String, f32)> =
            self.labels().iter().zip(prediction.probabilities.iter().copied()).collect();
        likeliest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        likeliest.truncate(ask.top.unwrap_or(likeliest.len()));
        let mut object = Map::new();
        let unsure = match self.description().plan.labels_per_text {
            LabelsPerText::One => self.one_label(prediction, example, (&likeliest, ask), &mut object),
            LabelsPerText::Several => {
                let names = prediction.labels.iter().map(|&label| self.labels()[label].as_str());
                object.insert("labels".into(), names.collect());
                if ask.top.is_some() {
                    put_next(&likeliest, 1, &mut object);
                }
                example.is_unknown()
            }
        };
        let probabilities: Map<String, Value> =
            likeliest.into_iter().map(|(label, p)| (label.clone(), json!(p))).collect();
        object.insert("probabilities".into(), Value::Object(probabilities));
        object.insert("unsure".into(), json!(unsure));
        if let Some((tokens, unknown)) = example.count_tokens() {
            object.insert("tokens".into(), json!(tokens));
            object.insert("unknown_tokens".into(), json!(unknown));
            if example.cut > 0 {
                object.insert("cut_tokens".into(), json!(example.cut));
            }
        }
        if ask.views {
            show(prediction, example, &mut object);
        }
        object
    }

    /// The label that is answered, and those behind it; gives whether it is unsure.
    fn one_label(
        &self,
        prediction: &Prediction,
        example: &Example,
        (likeliest, ask): (&[(&String, f32)], &Ask),
        object: &mut Map<String, Value>,
    ) -> bool {
        let unsure = example.is_unknown() || ask.unsure.holds(&prediction.probabilities);
        let label = match &ask.unsure.label {
            Some(instead) if unsure => instead,
            _ => &self.labels()[prediction.label],
        };
        object.insert("label".into(), json!(label));
        object.insert("probability".into(), json!(prediction.probabilities[prediction.label]));
        if ask.top.is_some() {
            put_next(likeliest, 2, object);
        }
        unsure
    }

    /// `question  97.3 %  (then statement 1.9 %, command 0.8 %)`; of several labels all that are answered, or that none is.
    pub(super) fn line(&self, prediction: &Prediction) -> String {
        let labels = self.labels();
        let percent = |class: usize| format!("{:.1} %", 100.0 * prediction.probabilities[class]);
        let mut others: Vec<usize> = (0..labels.len()).filter(|class| !prediction.labels.contains(class)).collect();
        others.sort_by(|&a, &b| prediction.probabilities[b].total_cmp(&prediction.probabilities[a]));
        let shown: Vec<String> =
            others.iter().take(3).map(|&class| format!("{} {}", labels[class], percent(class))).collect();
        let answered: Vec<String> =
            prediction.labels.iter().map(|&class| format!("{}  {}", labels[class], percent(class))).collect();
        let others = if shown.is_empty() { String::new() } else { format!("  (then {})", shown.join(", ")) };
        format!("{}{others}", if answered.is_empty() { "no label".to_owned() } else { answered.join(", ") })
    }
}

/// The likeliest labels from this place on, from 1, and their probabilities.
fn put_next(likeliest: &[(&String, f32)], first: usize, object: &mut Map<String, Value>) {
    for (place, (label, probability)) in (1..).zip(likeliest).skip(first - 1) {
        let [label_name, probability_name] = next_names(place);
        object.insert(label_name, json!(label));
        object.insert(probability_name, json!(probability));
    }
}

/// What a table calls the label that is likeliest but so many, and its probability.
fn next_names(place: usize) -> [String; 2] {
    ["label", "probability"].map(|name| format!("{name}_{place}"))
}

/// What was looked at, with the pieces of the text that the weights are for.
fn show(prediction: &Prediction, example: &Example, object: &mut Map<String, Value>) {
    if example.tokens().is_some() {
        object.insert("pieces".into(), json!(example.names()));
    }
    // The pooling's own weights say how much each step counts in the answer; they have a place of their own.
    let (pooling, views): (Vec<&View>, Vec<&View>) = prediction.views.iter().partition(|view| is_pooling(view));
    if let Some(pooling) = pooling.first() {
        object.insert("weights".into(), json!(pooling.row(0)));
    }
    if !views.is_empty() {
        object.insert("views".into(), Value::Object(View::by_name(views)));
    }
}
