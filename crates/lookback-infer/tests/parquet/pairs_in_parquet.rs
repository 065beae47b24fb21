//! Pairs of a source and its targets.

use std::path::Path;

use lookback_infer::data::pairs::{PairOptions, read_pairs};

use crate::written::{Columns, Folder, damage, lists, some_texts};

fn read(file: &Path, options: &PairOptions) -> Vec<String> {
    match read_pairs(file, None, options, None) {
        Ok(read) => {
            let show = |pair: lookback_infer::data::pairs::Pair| {
                format!("{} {}>{}", pair.line, pair.source, pair.targets.join("|"))
            };
            read.pairs.into_iter().map(show).collect()
        }
        Err(error) => vec![error.to_string().replace(&*file.display().to_string(), "f")],
    }
}

#[test]
fn lists_are_several_targets_and_other_columns_are_not_read() {
    let folder = Folder::new();
    let columns: Columns = vec![
        ("note", some_texts(&["aside-aside"; 4])),
        ("target", lists(&[Some(vec![Some("x")]), Some(vec![Some("y"), Some("z")]), None, Some(vec![Some("x")])])),
        ("source", some_texts(&["a", "b", "c", " "])),
    ];
    for extension in ["parquet", "arrow", "arrows"] {
        let file = folder.write(&format!("pairs.{extension}"), &columns);
        damage(&file, "aside-aside");
        let options = serde_json::from_str(r#"{"on-bad-row":"skip"}"#).unwrap();
        assert_eq!(read(&file, &options), ["1 a>x", "2 b>y|z"], "{extension}");
        let refused = read(&file, &PairOptions::default()).remove(0);
        assert!(
            refused.contains("f, row 3: the target is empty") && refused.contains("f, row 4: the source is empty"),
            "{refused}"
        );
    }
    let two = folder.write("two.parquet", &vec![("en", some_texts(&["a", "b"])), ("de", some_texts(&["x", "y"]))]);
    assert_eq!(read(&two, &PairOptions::default()), ["1 a>x", "2 b>y"]);
    let lists_of_sources = serde_json::from_str(r#"{"source":"target","target":"source"}"#).unwrap();
    let refused = read(&folder.write("lists.parquet", &columns), &lists_of_sources);
    assert!(refused[0].starts_with("f: the column \"target\" is of the type List("), "{refused:?}");
}
