//! Decoder cells: steps of another batch, of other widths with the same sum, of other types.

use burn::tensor::{DType, Tensor};
use lookback_nn::State;
use lookback_nn::attention::{AttendFirstDecoder, InputFeedingDecoder, Mask, QueryAndContext, Score};

use super::{SCORES, Table, attention, devices, random};

const X: [usize; 2] = [2, 3];
const H: [usize; 2] = [2, 4];

#[test]
fn a_step_that_does_not_fit_is_refused_by_name() {
    let mut table = Table::default();
    let none = &Mask::none();
    for device in devices() {
        for score in SCORES {
            let luong = InputFeedingDecoder::new(3, 4, 4, 1, attention(score, &device), &device).unwrap();
            let bahdanau = AttendFirstDecoder::new(3, 4, 4, 1, attention(score, &device), &device).unwrap();
            let outputs = |rows: usize| random([rows, 7, 4], &device);
            if matches!(score, Score::Positions { .. }) {
                let words = "one key a query, and no memory to project once";
                table.refuses("positions", words, || luong.memory(outputs(2), none));
                table.refuses("positions", words, || bahdanau.memory(outputs(2), none));
                continue;
            }
            for (what, x, previous, rows, words) in [
                ("rows of x", [3, 3], H, 2, ["previous is [2, 4] but [3, 4]", "x is [3, 3] but [2, 3]"]),
                ("rows of the state", X, [3, 4], 2, ["previous is [3, 4] but [2, 4]", "x is [2, 3] but [3, 3]"]),
                ("width of x", [2, 4], H, 2, ["x is [2, 4] but [2, 3]"; 2]),
                ("width of the state", X, [2, 5], 2, ["previous is [2, 5] but [2, 4]", "query is [2, 1, 5] but"]),
                ("widths with the right sum", [2, 4], X, 2, ["x is [2, 4] but [2, 3]"; 2]),
                ("rows of the memory", X, H, 3, ["keys is [3, 7, "; 2]),
            ] {
                for weights in [true, false] {
                    let name = format!("{score:?}, {what}, weights {weights}");
                    let previous = || random(previous, &device);
                    table.refuses(&format!("Luong, {name}"), words[0], || {
                        let memory = luong.memory(outputs(rows), none)?;
                        luong.step(random(x, &device), previous(), None, &memory, none, weights)
                    });
                    table.refuses(&format!("Luong forward, {name}"), &words[0][..words[0].find('[').unwrap()], || {
                        let memory = luong.memory(outputs(rows), none)?;
                        luong.forward(random([x[0], 2, x[1]], &device), previous(), None, &memory, none)
                    });
                    table.refuses(&format!("Bahdanau, {name}"), words[1], || {
                        let memory = bahdanau.memory(outputs(rows), none)?;
                        let state = State { hidden: previous().unsqueeze(), cell: None };
                        bahdanau.step(random(x, &device), state, &memory, none, weights)
                    });
                }
            }
            for dtype in [DType::F64, DType::F16] {
                let words = format!("{dtype:?}");
                let wide = |x: Tensor<2>| x.cast(dtype);
                let memory = luong.memory(outputs(2), none).unwrap();
                table.refuses(&format!("{score:?}, x"), &format!("previous is F32 but x is {words}"), || {
                    luong.step(wide(random(X, &device)), random(H, &device), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, previous"), &format!("previous is {words} but x is F32"), || {
                    luong.step(random(X, &device), wide(random(H, &device)), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, all"), &words, || {
                    luong.step(wide(random(X, &device)), wide(random(H, &device)), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, outputs"), &words, || {
                    let memory = luong.memory(outputs(2).cast(dtype), none)?;
                    luong.step(random(X, &device), random(H, &device), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, state"), &words, || {
                    let memory = bahdanau.memory(outputs(2), none)?;
                    let state = State { hidden: wide(random(H, &device)).unsqueeze(), cell: None };
                    bahdanau.step(random(X, &device), state, &memory, none, false)
                });
            }
        }
    }
}

#[test]
fn a_decoder_whose_parts_do_not_fit_is_not_made() {
    let mut table = Table::default();
    for device in devices() {
        let dot = || attention(Score::Dot, &device);
        let words = "the attention's query and key size is [4, 4] but";
        for (what, hidden, memory) in [("H", 6, 4), ("memory", 4, 9)] {
            table.refuses(what, words, || InputFeedingDecoder::new(3, hidden, memory, 1, dot(), &device));
            table.refuses(what, words, || AttendFirstDecoder::new(3, hidden, memory, 1, dot(), &device));
        }
        let words = "which no memory holds";
        table.refuses("Luong, large", words, || InputFeedingDecoder::new(usize::MAX, 4, 4, 1, dot(), &device));
        table.refuses("Bahdanau, large", words, || AttendFirstDecoder::new(usize::MAX, 4, 4, 1, dot(), &device));
        table.refuses("map, large", words, || QueryAndContext::new(usize::MAX, 4, 4, true, &device));

        let map = QueryAndContext::new(3, 4, 5, true, &device).unwrap();
        let call =
            |context: [usize; 3], query: [usize; 3]| map.forward(random(context, &device), random(query, &device));
        table.runs("map", || call([2, 3, 3], [2, 3, 4]), |output| output.dims() == [2, 3, 5]);
        table.refuses("map, queries", "context is [2, 3, 3] but [2, 2, 3]", || call([2, 3, 3], [2, 2, 4]));
        table.refuses("map, sum", "query is [2, 3, 3] but [2, 3, 4]", || call([2, 3, 4], [2, 3, 3]));
        table.refuses("map, type", "query is F32 but context is F64", || {
            map.forward(random([2, 3, 3], &device).cast(DType::F64), random([2, 3, 4], &device))
        });
    }
}
