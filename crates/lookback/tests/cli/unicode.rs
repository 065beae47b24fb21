//! What looks the same is read the same, whichever characters it is written with; Chinese words of a person's own.

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

/// Reviews in Chinese that name a thing that no dictionary has.
fn reviews(folder: &Folder) -> String {
    let rows = "好评,蓝毛衣很好看\n差评,旧毛衣不好看\n好评,新的5G网络快\n差评,旧网络太慢\n".repeat(8);
    folder.write("reviews.csv", format!("label,text\n{rows}"))
}

#[test]
fn words_of_a_user_dictionary_are_kept_in_the_model() {
    let folder = Folder::new();
    let data = reviews(&folder);
    let words = folder.write("words.txt", "蓝毛衣 3 n\n5G网络\n\n");
    let model = folder.path("model");
    train(&data, &model, &["--epochs", "1", "--user-dictionary", &words]).ok();
    assert!(lookback(&["inspect", &model]).ok().contains("2 words beside those of jieba"));
    let config = lookback(&["inspect", "--config", &model]).ok();
    assert!(config.contains(&format!("user-dictionary = \"{words}\"")), "{config}");
    // The same training again, by the configuration that inspect prints.
    let (config, again) = (folder.write("again.toml", config), folder.path("again"));
    lookback(&["train", "classify", &data, "-o", &again, "--config", &config]).ok();
    assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "other bytes");
    // Answering needs no file, and neither does training on.
    std::fs::remove_file(&words).unwrap();
    let out = lookback_with_input(&["predict", &model, "--attention"], "蓝毛衣和5g网络\n").ok();
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["pieces"], serde_json::json!(["蓝毛衣", "和", "5g网络"]));
    let on = folder.path("on");
    lookback(&["train", "classify", &data, "-o", &on, "--init", &model, "--epochs", "1"]).ok();
    assert!(lookback(&["inspect", &on]).ok().contains("2 words beside those of jieba"));
    let other = folder.write("other.txt", "毛衣 3\n");
    lookback(&["train", "classify", &data, "-o", &on, "--init", &model, "--user-dictionary", &other])
        .refused(2, &["--user-dictionary is not that of the model in --init"]);
}

#[test]
fn a_user_dictionary_that_cannot_be_used_is_refused() {
    let folder = Folder::new();
    let (reviews, english) = (reviews(&folder), folder.write("data.tsv", sentences()));
    let model = folder.path("model");
    let words = folder.write("words.txt", "蓝毛衣 3 n\n\n5G 网络 快\n");
    let refused = |data: &str, more: &[&str], parts: &[&str]| train(data, &model, more).refused(2, parts);
    refused(&reviews, &["--user-dictionary", &words], &["--user-dictionary", "words.txt, line 3", "\"5G 网络 快\""]);
    refused(&reviews, &["--user-dictionary", &folder.path("none")], &["--user-dictionary", "none: no such file"]);
    refused(&reviews, &["--user-dictionary", "-"], &["--user-dictionary needs a file that can be read again"]);
    let words = folder.write("words.txt", "蓝毛衣 3 n\n");
    refused(
        &reviews,
        &["--user-dictionary", &words, "--tokenizer", "words"],
        &["--user-dictionary is for --tokenizer jieba, but another is asked for"],
    );
    refused(
        &english,
        &["--user-dictionary", &words],
        &["--user-dictionary is for jieba, but the texts are cut into words; is --tokenizer jieba missing?"],
    );
    train(&reviews, &words, &["--user-dictionary", &words]).refused(2, &["words.txt is read and cannot be the output"]);
    assert!(!folder.holds("model"));
}
