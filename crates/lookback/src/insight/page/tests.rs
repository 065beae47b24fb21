//! What a page holds; what a browser makes of it is tested in `conformance/pages`.

use super::*;

fn view(name: &str, rows: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> View {
    let names = |count: usize| (0..count).map(|at| format!("t{at}")).collect::<Vec<_>>();
    let values = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let values = values.map(|(row, column)| value(row, column)).collect();
    View { name: name.into(), rows: names(rows), columns: names(columns), values }
}

fn page(inputs: Vec<PageInput>) -> Page {
    Page { title: "title".into(), model: "model".into(), inputs }
}

#[test]
fn what_stands_in_a_text_cannot_end_the_script() {
    let input = PageInput { answers: vec!["</script><script>alert(1)</script> <!--".into()], ..PageInput::default() };
    let html = page(vec![input]).html();
    assert_eq!(html.matches("</script>").count(), 2);
    assert!(!html.contains("<!--") && html.contains("\\u003c/script>\\u003cscript>alert(1)"));
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn small_views_are_whole_and_of_large_ones_every_row_has_its_largest() {
    let small = view("small", 2, 3, |row, column| if column == 1 { f32::NAN } else { (row + column) as f32 / 7.0 });
    let json = |view: &View, room| serde_json::to_value(PageView::of(view, room)).unwrap();
    let found = json(&small, 100);
    assert_eq!(found["values"], serde_json::json!([[0.0, null, 2.0f32 / 7.0], [1.0f32 / 7.0, null, 3.0f32 / 7.0]]));
    assert_eq!(found["signed"], serde_json::json!(false));
    let large =
        view("large", 4, 50, |row, column| if column % 10 == row { -1.0 + column as f32 / 100.0 } else { 0.001 });
    let found = json(&large, 4 * 3);
    assert_eq!((found["kept"].as_u64(), found["signed"].as_bool()), (Some(3), Some(true)));
    assert_eq!(found["places"][1], serde_json::json!([1, 11, 21]));
    assert_eq!(found["largest"][1], serde_json::json!([-0.99f32, -0.89f32, -0.79f32]));
    assert!((found["below"].as_f64().unwrap() - 0.7).abs() < 1e-6, "the fourth largest: {}", found["below"]);
}

#[test]
fn eight_heads_over_five_hundred_tokens_stay_below_a_megabyte() {
    let views: Vec<View> = (0..8)
        .map(|head| {
            let value = move |row: usize, column: usize| ((row * 31 + column * 17 + head) % 997) as f32 / 251_003.0;
            view(&format!("head {head}"), 500, 500, value)
        })
        .collect();
    let tokens: Vec<String> = (0..500).map(|at| format!("token{at}")).collect();
    let input = PageInput { tokens, ..PageInput::default() }.with_views(&views);
    let size = page(vec![input]).html().len();
    assert!(size < 1_000_000, "{size}");
}
