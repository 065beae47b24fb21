//! What looks the same is read the same, whichever characters it is written with.

use serde_json::Value;

use crate::program::{Folder, TINY_TAGGER, lookback, lookback_with_input, sentences, text_model_path, train};

/// Latin letters and marks as they stand in East Asian text.
fn full_width(text: &str) -> String {
    let wide = |c: char| if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c) } else { c };
    text.chars().map(wide).collect()
}

/// Probabilities of the answers to lines.
fn probabilities(model: &str, lines: &[&str]) -> Vec<Value> {
    let out = lookback_with_input(&["predict", model], &format!("{}\n", lines.join("\n"))).ok();
    out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["probabilities"].take()).collect()
}

#[test]
fn texts_in_other_forms_are_answered_as_the_plain_ones() {
    let folder = Folder::new();
    let table = sentences();
    let plain = folder.write("plain.tsv", &table);
    let rows = table.lines().skip(1).filter_map(|row| row.split_once('\t'));
    let wide: String = rows.map(|(label, text)| format!("{label}\t{}\n", full_width(text))).collect();
    let wide = folder.write("wide.tsv", format!("label\ttext\n{wide}"));
    let judged = |data: &str| {
        serde_json::from_str::<Value>(&lookback(&["evaluate", text_model_path(), data, "--json"]).ok()).unwrap()
    };
    assert_eq!(judged(&plain), judged(&wide));
    let forms = ["hot soup", "ｈｏｔ　ｓｏｕｐ", "hot so\u{AD}up", "h\u{200B}ot soup\u{FE0F}", "hot\u{A0}\u{FEFF}soup"];
    let answers = probabilities(text_model_path(), &forms);
    for (form, answer) in forms.iter().zip(&answers) {
        assert_eq!(answer, &answers[0], "{form:?}");
    }
}

#[test]
fn what_is_shown_is_the_text_as_it_was_written() {
    let shaded = lookback(&["explain", text_model_path(), "Ｈｏｔ so\u{AD}up…", "--color", "always"]).ok();
    for part in ["Ｈｏｔ\x1b", "so\u{AD}up\x1b", "…\x1b"] {
        assert!(shaded.contains(part), "{part:?} is not in {shaded:?}");
    }
    assert_eq!(shaded.matches('…').count(), 1, "{shaded:?}");
    let folder = Folder::new();
    let data = folder.write("data.conll", "ﬁne\tADJ\nＣＡＴ\tNOUN\n\nthe\tDET\ncat\tNOUN\n\n".repeat(20));
    let model = folder.path("tagger");
    let train = ["train", "tag", &data, "-o", &model, "--epochs", "1"];
    lookback(&[&train[..], &TINY_TAGGER].concat()).ok();
    assert!(lookback(&["inspect", &model]).ok().contains("5 tokens"), "<pad>, <unk>, fine, cat, the");
    let out = lookback_with_input(&["predict", &model], "the Ｃａｔ\n").ok();
    assert!(out.contains("\"Ｃａｔ\""), "{out}");
}

#[test]
fn characters_are_read_as_they_stand_where_that_is_asked_for() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let model = folder.path("model");
    let more = ["--epochs", "3", "--learning-rate", "0.02", "--normalize", "none"];
    train(&data, &model, &more).ok();
    let answers = probabilities(&model, &["hot soup", "ｈｏｔ ｓｏｕｐ"]);
    assert_ne!(answers[0], answers[1]);
    assert!(lookback(&["inspect", "--config", &model]).ok().contains("normalize = \"none\""));
    // What a model reads so it goes on to read so.
    let again = folder.path("again");
    let on = ["train", "classify", &data, "-o", &again, "--init", &model, "--epochs", "1"];
    lookback(&on).ok();
    assert!(lookback(&["inspect", "--config", &again]).ok().contains("normalize = \"none\""));
    lookback(&[&on[..], &["--normalize", "nfkc"]].concat())
        .refused(2, &["--normalize is not that of the model in --init"]);
}

#[test]
fn traditional_and_simplified_chinese_meet_where_that_is_asked_for() {
    let folder = Folder::new();
    let rows = "好评,这家酒店很干净\n差评,服务态度很差\n好评,房间很安静\n差评,早餐难吃\n".repeat(8);
    let data = folder.write("data.csv", format!("标签,评论\n{rows}"));
    let model = |form: &str| {
        let model = folder.path(form);
        let more = ["--text", "评论", "--label", "标签", "--epochs", "2", "--chinese", form];
        train(&data, &model, &more).ok();
        model
    };
    let pair = ["这家酒店服务态度很差", "這家酒店服務態度很差"];
    for form in ["simplified", "traditional"] {
        let model = model(form);
        let answers = probabilities(&model, &pair);
        assert_eq!(answers[0], answers[1], "{form}");
        let text = lookback(&["inspect", &model]).ok();
        assert!(text.contains(&format!("read as NFKC and {form} Chinese")), "{text}");
        assert!(lookback(&["inspect", "--config", &model]).ok().contains(&format!("chinese = \"{form}\"")));
    }
    let answers = probabilities(&model("as-is"), &pair);
    assert_ne!(answers[0], answers[1]);
}
