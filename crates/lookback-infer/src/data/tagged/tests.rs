//! Reading and writing tagged sentences, format by format.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::data::{Column, Encoding, OnBadRow};

/// The file of a content, as long as its folder lives.
fn file(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.txt");
    std::fs::write(&file, content).unwrap();
    (folder, file)
}

fn read(content: impl AsRef<[u8]>, columns: &TaggedColumns) -> Result<Vec<Sentence>, String> {
    let (_folder, file) = file(content);
    read_tagged(&file, columns, Wanted::Tags)
        .map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))
}

/// Every sentence as "line: token/tag ..".
fn show(content: impl AsRef<[u8]>, columns: &TaggedColumns) -> Vec<String> {
    let pairs = |sentence: &Sentence| {
        assert_eq!(sentence.lines.len(), sentence.tokens.len());
        assert_eq!(sentence.lines[0], sentence.line);
        let pairs = sentence.tokens.iter().zip(&sentence.tags).map(|(token, tag)| format!("{token}/{tag}"));
        format!("{}: {}", sentence.line, pairs.collect::<Vec<_>>().join(" "))
    };
    read(content, columns).unwrap().iter().map(pairs).collect()
}

fn none() -> TaggedColumns {
    TaggedColumns::default()
}

fn said(token: Option<&str>, tag: Option<&str>) -> TaggedColumns {
    let column = |name: Option<&str>| name.and_then(|name| name.parse::<Column>().ok());
    let layout = TaggedLayout { token_column: column(token), tag_column: column(tag), tag_separator: None };
    TaggedColumns { layout, ..none() }
}

const CONLLU: &str = "# sent_id = 1\n# text = vámonos al mar\n1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n\
    1\tvamos\tir\tVERB\tv\tMood=Imp\t0\troot\t_\t_\n2\tnos\tnosotros\tPRON\tp\t_\t1\tobj\t_\t_\n\
    2.1\tsea\tser\tAUX\t_\t_\t_\t_\t0:x\t_\n3\ta la\ta\tADP\ts\t_\t1\tcase\t_\t_\n\n# last\n\
    1\t#\t#\tSYM\tz\t_\t0\troot\t_\t_\n\n";

#[test]
fn columns_are_read_between_blanks_or_tabs() {
    let cases: [(&str, &[&str]); 10] = [
        ("a X\nb Y\n\n\nc X\n", &["1: a/X b/Y", "5: c/X"]),
        ("\u{feff}a  NN  B-NP   X\r\nb VB B-VP Y\r\n \r\n", &["1: a/X b/Y"]),
        ("New York\tX\n a \tY\n", &["1: New York/X a/Y"]),
        ("a\t\t\tX\n", &["1: a/X"]),
        ("# a comment\n#\na X\n# X\n\n# another\n\nb Y", &["3: a/X #/X", "8: b/Y"]),
        ("#rust X\nb Y\n\n# Y\nb X\n\n# comment\na X\n", &["1: #rust/X b/Y", "4: #/Y b/X", "8: a/X"]),
        ("-DOCSTART- -X- O O\n\na - x O\n-DOCSTART-\nb - y O\n", &["3: a/O", "5: b/O"]),
        ("1/2 CD\nUN B_ORG\n\nkm/h NN\n", &["1: 1/2/CD UN/B_ORG", "4: km/h/NN"]),
        // Neither ends a token: the no-break and the ideographic space are tokens of tweets and of Chinese.
        ("\u{a0} X\n\u{3000} Y\n", &["1: \u{a0}/X \u{3000}/Y"]),
        ("{ X\n{} Y\n", &["1: {/X {}/Y"]),
    ];
    for (content, expected) in cases {
        assert_eq!(show(content, &none()), expected, "{content:?}");
    }
    assert_eq!(show("x a NN B\nx b VB I\n", &said(Some("2"), Some("3"))), ["1: a/NN b/VB"]);
    assert_eq!(show("B a\nI b\n", &said(Some("2"), Some("1"))), ["1: a/B b/I"]);
}

#[test]
fn of_conllu_ranges_empty_nodes_and_comments_are_no_tokens() {
    assert_eq!(show(CONLLU, &none()), ["4: vamos/VERB nos/PRON a la/ADP", "10: #/SYM"]);
    assert_eq!(show(CONLLU, &said(Some("lemma"), Some("XPOS"))), ["4: ir/v nosotros/p a/s", "10: #/z"]);
    assert_eq!(show(CONLLU, &said(None, Some("8"))), ["4: vamos/root nos/obj a la/case", "10: #/root"]);
    assert_eq!(show(CONLLU, &said(None, Some("FEATS"))), ["4: vamos/Mood=Imp nos/_ a la/_", "10: #/_"]);
    let lines = read(CONLLU, &none()).unwrap().remove(0).lines;
    assert_eq!(lines, [4, 5, 7], "every token knows its line");
    let plus = "# global.columns = ID FORM NE\n1\tRome\tB-LOC\n2-3\tx\t_\n2\tis\tO\n";
    assert_eq!(show(plus, &said(None, Some("ne"))), ["2: Rome/B-LOC is/O"]);
}

#[test]
fn lines_are_parted_at_the_last_slash() {
    let cases: [(&str, &[&str]); 4] = [
        ("19980101-01/m  迈向/v 1/2/m //w\n\nkm/h/q\n", &["1: 19980101-01/m 迈向/v 1/2/m //w", "3: km/h/q"]),
        ("She_PRP eats_VBZ\nhot_dog_NN ._.\n", &["1: She/PRP eats/VBZ", "2: hot_dog/NN ./."]),
        ("she/P\n", &["1: she/P"]),
        ("　/w a/x\n", &["1: 　/w a/x"]),
    ];
    for (content, expected) in cases {
        assert_eq!(show(content, &none()), expected, "{content:?}");
    }
    let layout = TaggedLayout { tag_separator: Some('|'), ..TaggedLayout::default() };
    assert_eq!(show("a|X b/c|Y\n", &TaggedColumns { layout, ..none() }), ["1: a/X b/c/Y"]);
}

#[test]
fn json_holds_lists_of_tokens_and_tags() {
    let lines = "{\"tokens\": [\"New York\", \"is\"], \"tags\": [\"B\", \"O\"]}\n\n{\"tags\":[1],\"tokens\":[7]}\n";
    assert_eq!(show(lines, &none()), ["1: New York/B is/O", "3: 7/1"]);
    let array = "[\n {\"words\": [\"a\"],\n  \"ner_tags\": [3]},\n {\"words\": [\"b\"], \"ner_tags\": [4]}\n]\n";
    assert_eq!(show(array, &none()), ["2: a/3", "4: b/4"]);
    let nested = "{\"data\": {\"t\": [\"a\"]}, \"y\": [\"X\"]}\n";
    assert_eq!(show(nested, &said(Some("data.t"), Some("y"))), ["1: a/X"]);
}

#[test]
fn what_is_said_goes_before_what_is_found() {
    let of = |format| TaggedColumns { format: Some(format), ..none() };
    assert_eq!(show("a/X b/Y\nc/X d/Y\n", &of(Format::Conll)), ["1: a/X/b/Y c/X/d/Y"]);
    let error = read("a b/X\n", &of(Format::Slash)).unwrap_err();
    assert_eq!(error, "FILE, line 1: \"a\" has no tag; a token, / and its tag were expected");
}

#[test]
fn what_does_not_fit_is_told_with_its_line() {
    let cases = [
        ("a X\nb\n", "FILE, line 2: \"b\" stands alone; a token, white space and its tag were expected"),
        ("alone\n", "FILE, line 1: \"alone\" stands alone; a token, white space and its tag were expected"),
        ("a\tX\nb Y\n", "FILE, line 2: \"b Y\" stands alone; a token, a tab and its tag were expected"),
        (
            "a X\n\nNew York Y\n",
            "FILE, line 3: the row has 3 fields; 2 expected as on line 1; where tokens hold blanks, tabs must stand between the columns",
        ),
        ("a\tx\tX\n\nb\tY\n", "FILE, line 3: the row has 2 fields; 3 expected as on line 1"),
        ("a\tX\n\tY\n", "FILE, line 2: the token is empty; a token, a tab and its tag were expected"),
        ("a\tX\nb\t\n", "FILE, line 2: the tag is empty; a token, a tab and its tag were expected"),
        ("# nothing\n", "FILE holds no examples"),
        ("-DOCSTART- O\n", "FILE holds no examples"),
        (" \n", "FILE is empty; at least one example was expected"),
        ("she/P eats/V\nhot soup/N\n", "FILE, line 2: \"hot\" has no tag; a token, / and its tag were expected"),
        ("she/P a/D /V\n", "FILE, line 1: \"/V\" has no tag; a token, / and its tag were expected"),
        (
            "{\"tokens\": [\"a\", \"b\"], \"tags\": [\"X\"]}\n",
            "FILE, line 1: \"tokens\" has 2 and \"tags\" 1; a tag for every token was expected",
        ),
        ("{\"tokens\": [], \"tags\": []}\n", "FILE, line 1: \"tokens\" is empty; at least one token was expected"),
        ("{\"tokens\": [\"a\", \" \"], \"tags\": [1, 2]}\n", "FILE, line 1: number 2 of \"tokens\" is empty"),
        ("{\"tokens\": [\"a\"], \"tags\": [\"\"]}\n", "FILE, line 1: number 1 of \"tags\" is empty"),
        (
            "{\"tokens\": [\"a\"], \"tags\": [null]}\n",
            "FILE, line 1: \"tags\" holds null; a list of strings was expected",
        ),
        (
            "{\"tokens\": [\"a\"], \"y\": [1]}\n",
            "FILE, line 1: the object has no key \"tags\"; its keys are \"tokens\", \"y\"",
        ),
        ("{\"text\": \"a\"}\n", "FILE, line 1: the object has no key \"tokens\"; its keys are \"text\""),
    ];
    for (content, expected) in cases {
        assert_eq!(read(content, &none()).unwrap_err(), expected, "{content:?}");
    }
    let refused = |content: &str, columns: &TaggedColumns, expected: &str| {
        assert_eq!(read(content, columns).unwrap_err(), expected, "{content:?}");
    };
    refused(
        "a X Y\n",
        &said(None, Some("4")),
        "FILE, line 1: --tag-column is 4, but a number from 1 to 3 was expected for these lines",
    );
    refused(
        "a X Y\n",
        &said(None, Some("XPOS")),
        "FILE, line 1: --tag-column is XPOS, but a number from 1 to 3 was expected for these lines",
    );
    refused("a X Y\n", &said(Some("3"), None), "FILE: the token and the tag cannot both be column 3");
    let conllu = TaggedColumns { format: Some(Format::Conllu), ..none() };
    refused("1 a\n", &conllu, "FILE, line 1: the line has 1 columns between tabs; 10 of CoNLL-U were expected");
    let no_id = CONLLU.replace("2\tnos", "x\tnos");
    refused(&no_id, &none(), "FILE, line 5: \"x\" is no ID of CoNLL-U; 1, 1-2 or 1.1 was expected");
    let no_tag = CONLLU.replace("PRON", "_");
    let expected = "FILE, line 5: the UPOS of \"nos\" is _, which is none; a token, a tab and its tag were expected";
    refused(&no_tag, &none(), expected);
}

#[test]
fn bad_sentences_are_named_together_or_left_out() {
    let content = "a X\nb\nc\n\nd Y\n\ne Y Z\n\nf X\n";
    let expected = "FILE: 2 sentences cannot be read; --on-bad-row skip leaves them out\n  \
        FILE, line 2: \"b\" stands alone; a token, white space and its tag were expected\n  \
        FILE, line 7: the row has 3 fields; 2 expected as on line 1; where tokens hold blanks, tabs must stand between the columns";
    assert_eq!(read(content, &none()).unwrap_err(), expected);
    let skip = TaggedColumns { on_bad_row: Some(OnBadRow::Skip), ..none() };
    assert_eq!(show(content, &skip), ["5: d/Y", "9: f/X"]);
    assert_eq!(read("a\nb\n", &skip).unwrap_err(), "FILE holds no examples");
}

#[test]
fn encodings_and_packed_files_are_read_as_tables_are() {
    let text = "迈向/v 充满/v 希望/n 的/u 新/a 世纪/n\n新年/t 讲话/n 附/v 图片/n\n";
    let expected = show(text, &none());
    let encoded = encoding_rs::GB18030.encode(text).0.into_owned();
    assert_eq!(show(&encoded, &none()), expected);
    let big5: Encoding = "windows-1252".parse().unwrap();
    assert_ne!(show(&encoded, &TaggedColumns { encoding: Some(big5), ..none() }), expected);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
    assert_eq!(show(packed.finish().unwrap(), &none()), expected);
}

#[test]
fn a_long_sentence_is_read_whole() {
    let content = "a X\nb Y\n".repeat(2_500);
    let sentences = read(content, &none()).unwrap();
    assert_eq!((sentences.len(), sentences[0].tokens.len(), sentences[0].lines[4_999]), (1, 5_000, 5_000));
}

/// What is written with "T1", "T2" and so on as tags, in order.
fn written(content: &str, columns: &TaggedColumns) -> (Format, String) {
    let (_folder, file) = file(content);
    let document = Document::read(&file, columns).unwrap();
    let (mut out, mut count) = (Vec::new(), 0);
    for (place, sentence) in document.sentences().iter().enumerate() {
        let tags: Vec<String> = sentence.tokens.iter().map(|_| (count += 1, format!("T{count}")).1).collect();
        document.write_sentence(place, &tags, &mut out).unwrap();
    }
    document.write_end(&mut out).unwrap();
    (document.format(), String::from_utf8(out).unwrap())
}

#[test]
fn a_file_is_written_with_one_column_more_and_all_else_in_place() {
    let content = "-DOCSTART- -X- O O\n\n# note\na - x O\nb - y  O \r\n\n \n-DOCSTART-\nc - z O\n\n# end";
    let expected = "-DOCSTART- -X- O O\n\n# note\na - x O T1\nb - y  O T2\r\n\n \n-DOCSTART-\nc - z O T3\n\n# end";
    assert_eq!(written(content, &none()), (Format::Conll, expected.to_owned()));
    let expected = "New York\tX\tT1\na\t\tT2\n";
    assert_eq!(written("New York\tX\na\t\n", &none()), (Format::Conll, expected.to_owned()));
    assert_eq!(written("a X\n\nb Y", &none()).1, "a X T1\n\nb Y T2");

    let (format, out) = written(CONLLU, &none());
    assert_eq!(format, Format::Conllu);
    let mut tag = 0;
    for (before, after) in CONLLU.lines().zip(out.lines()) {
        let added = match before {
            line if line.is_empty() || line.starts_with('#') => String::new(),
            line if line.starts_with("1-2") || line.starts_with("2.1") => "\t_".to_owned(),
            _ => (tag += 1, format!("\tT{tag}")).1,
        };
        assert_eq!(after, format!("{before}{added}"));
    }
    assert_eq!((tag, out.lines().count()), (4, CONLLU.lines().count()));
    // What was written is read again.
    assert_eq!(show(out, &said(None, Some("11"))), ["4: vamos/T1 nos/T2 a la/T3", "10: #/T4"]);
}

#[test]
fn other_formats_are_written_as_they_stood() {
    let slash = written("\n a/X  b/c/Y\n\nd/Z\n", &none());
    assert_eq!(slash, (Format::Slash, "\n a/T1  b/c/T2\n\nd/T3\n".to_owned()));
    let lines =
        "{\"id\": 1, \"tokens\": [\"a\", \"b\"], \"tags\": [\"X\", \"Y\"]}\n{\"tokens\": [\"c\"]}\n{\"tokens\": []}\n";
    let expected = "{\"id\":1,\"tokens\":[\"a\",\"b\"],\"tags\":[\"T1\",\"T2\"]}\n{\"tokens\":[\"c\"],\"tags\":[\"T3\"]}\n\
        {\"tokens\":[],\"tags\":[]}\n";
    assert_eq!(written(lines, &none()), (Format::Jsonl, expected.to_owned()));
    let nested = "[{\"d\": {\"t\": [\"a\"], \"y\": 0}}]";
    let expected = "{\"d\":{\"t\":[\"a\"],\"y\":[\"T1\"]}}\n";
    assert_eq!(written(nested, &said(Some("d.t"), Some("d.y"))).1, expected);
}

#[test]
fn tokens_need_no_tags_to_be_answered() {
    let cases = [
        ("she eats soup\n\nhe sleeps\n", Format::Lines, "she\tT1\neats\tT2\nsoup\tT3\n\n\nhe\tT4\nsleeps\tT5\n\n"),
        ("she\neats\n\nhe\n", Format::Conll, "she T1\neats T2\n\nhe T3\n"),
        ("she P\neats V\n\nhe P\n", Format::Conll, "she P T1\neats V T2\n\nhe P T3\n"),
        ("she\tP\nhot dog\tV\n", Format::Conll, "she\tP\tT1\nhot dog\tV\tT2\n"),
        ("she/P eats/V\n", Format::Slash, "she/T1 eats/T2\n"),
    ];
    for (content, format, expected) in cases {
        assert_eq!(written(content, &none()), (format, expected.to_owned()), "{content:?}");
    }
    let lines = TaggedColumns { format: Some(Format::Lines), ..none() };
    assert_eq!(written("a b\n\nc d\n", &lines).1, "a\tT1\nb\tT2\n\n\nc\tT3\nd\tT4\n\n");
    // Of a sentence that is left out nothing is lost.
    let skip = TaggedColumns { on_bad_row: Some(OnBadRow::Skip), format: Some(Format::Conll), ..none() };
    assert_eq!(written("a X\n\nb\n\nc Y\n\nd\n", &skip).1, "a X T1\n\nb\n\nc Y T2\n\nd\n");
}

#[test]
fn a_sentence_is_not_written_with_the_tags_of_another() {
    let (_folder, file) = file("a\tX\nb\tY\n");
    let document = Document::read(&file, &none()).unwrap();
    let message = |place, tags: &[&str]| document.write_sentence(place, tags, &mut Vec::new()).unwrap_err().to_string();
    assert_eq!(message(0, &["T"]), "a sentence needs a tag for each of its tokens");
    assert_eq!(message(1, &[]), "there is no such sentence");
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    let with = |format, token: Option<&str>, tag: Option<&str>, separator| {
        let mut columns = said(token, tag);
        columns.layout.tag_separator = separator;
        columns.format = format;
        columns.check(Wanted::Tags).unwrap_err().to_string()
    };
    let cases = [
        (with(Some(Format::Csv), None, None, None), "--format is csv; it must be conll, conllu, slash or jsonl"),
        (with(Some(Format::Lines), None, None, None), "--format is lines; it must be conll, conllu, slash or jsonl"),
        (with(Some(Format::Slash), Some("1"), None, None), "--token-column does not concern the format slash"),
        (with(Some(Format::Conll), None, None, Some('/')), "--tag-separator does not concern the format conll"),
        (with(None, None, Some("2"), Some('/')), "--tag-separator is for word/tag lines, which have no columns"),
        (with(None, Some("2"), Some("2"), None), "--tag-column is 2, which is the column of the token"),
        (with(None, Some("0"), None, None), "--token-column is 0; it must be 1 or more, or a name"),
        (
            with(None, None, None, Some('x')),
            "--tag-separator is 'x'; it must be a character that is no letter, digit or white space",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    let lines = TaggedColumns { format: Some(Format::Lines), ..none() };
    assert_eq!([Wanted::Tokens, Wanted::Words].map(|wanted| lines.check(wanted)), [Ok(()), Ok(())]);
    let table = TaggedColumns { format: Some(Format::Csv), ..none() }.check(Wanted::Words).unwrap_err();
    assert_eq!(table.to_string(), "--format is csv; it must be lines, conll, conllu, slash or jsonl");
}

#[test]
fn words_may_stand_without_tags() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        let sentences = read_tagged(&file, &none(), Wanted::Words).unwrap();
        let pairs = |sentence: &Sentence| {
            let pairs = sentence.tokens.iter().zip(&sentence.tags).map(|(token, tag)| format!("{token}/{tag}"));
            format!("{}: {}", sentence.line, pairs.collect::<Vec<_>>().join(" "))
        };
        sentences.iter().map(pairs).collect::<Vec<_>>()
    };
    let words = read("words", "他们  喝\u{3000}汤\n\n 热 汤 好 \n");
    assert_eq!(words, ["1: 他们/word 喝/word 汤/word", "3: 热/word 汤/word 好/word"]);
    assert_eq!(read("slash", "他们/r 喝/v\n"), ["1: 他们/r 喝/v"]);
    assert_eq!(read("columns", "他们 r\n喝 v\n\n汤 n\n"), ["1: 他们/r 喝/v", "4: 汤/n"]);
}
