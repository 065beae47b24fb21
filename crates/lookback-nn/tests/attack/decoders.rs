//! Decoder cells: steps of another batch, of other widths with the same sum, of other types.

use burn::tensor::{DType, Tensor};
use lookback_nn::attention::{Mask, Score};
use lookback_nn::decoder::{AttentionalLayer, BahdanauDecoder, LuongDecoder};
use lookback_nn::{Cell, RecurrentConfig, State};

use super::{SCORES, Table, attention, bahdanau, devices, luong, random};

const X: [usize; 2] = [2, 3];
const H: [usize; 2] = [2, 4];

#[test]
fn a_step_that_does_not_fit_is_refused_by_name() {
    let mut table = Table::default();
    let none = &Mask::none();
    for device in devices() {
        for score in SCORES {
            let by_luong = luong([3, 4, 4, 1], attention(score, &device), &device).unwrap();
            let by_bahdanau = bahdanau([3, 4, 4], attention(score, &device), &device).unwrap();
            let outputs = |rows: usize| random([rows, 7, 4], &device);
            if matches!(score, Score::Positions { .. }) {
                let words = "one key per query, and no memory to project once";
                table.refuses("positions", words, || by_luong.memory(outputs(2), none));
                table.refuses("positions", words, || by_bahdanau.memory(outputs(2), none));
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
                        let memory = by_luong.memory(outputs(rows), none)?;
                        by_luong.step(random(x, &device), previous(), None, &memory, none, weights)
                    });
                    table.refuses(&format!("Luong forward, {name}"), &words[0][..words[0].find('[').unwrap()], || {
                        let memory = by_luong.memory(outputs(rows), none)?;
                        by_luong.forward(random([x[0], 2, x[1]], &device), previous(), None, &memory, none)
                    });
                    table.refuses(&format!("Bahdanau, {name}"), words[1], || {
                        let memory = by_bahdanau.memory(outputs(rows), none)?;
                        let state = State { hidden: previous().unsqueeze(), cell: None };
                        by_bahdanau.step(random(x, &device), state, &memory, none, weights)
                    });
                }
            }
            for dtype in [DType::F64, DType::F16] {
                let words = format!("{dtype:?}");
                let wide = |x: Tensor<2>| x.cast(dtype);
                let memory = by_luong.memory(outputs(2), none).unwrap();
                table.refuses(&format!("{score:?}, x"), &format!("previous is F32 but x is {words}"), || {
                    by_luong.step(wide(random(X, &device)), random(H, &device), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, previous"), &format!("previous is {words} but x is F32"), || {
                    by_luong.step(random(X, &device), wide(random(H, &device)), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, all"), &words, || {
                    by_luong.step(wide(random(X, &device)), wide(random(H, &device)), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, outputs"), &words, || {
                    let memory = by_luong.memory(outputs(2).cast(dtype), none)?;
                    by_luong.step(random(X, &device), random(H, &device), None, &memory, none, false)
                });
                table.refuses(&format!("{score:?}, state"), &words, || {
                    let memory = by_bahdanau.memory(outputs(2), none)?;
                    let state = State { hidden: wide(random(H, &device)).unsqueeze(), cell: None };
                    by_bahdanau.step(random(X, &device), state, &memory, none, false)
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
            table.refuses(what, words, || luong([3, hidden, memory, 1], dot(), &device));
            table.refuses(what, words, || bahdanau([3, hidden, memory], dot(), &device));
        }
        let words = "which no memory holds";
        table.refuses("Luong, large", words, || luong([usize::MAX, 4, 4, 1], dot(), &device));
        table.refuses("Bahdanau, large", words, || bahdanau([usize::MAX, 4, 4], dot(), &device));
        table.refuses("map, large", words, || AttentionalLayer::new(usize::MAX, 4, 4, true, &device));

        let map = AttentionalLayer::new(3, 4, 5, true, &device).unwrap();
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

#[test]
fn a_recurrent_layer_of_other_sizes_or_directions_is_refused() {
    let mut table = Table::default();
    for device in devices() {
        let dot = || attention(Score::Dot, &device);
        for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
            let layer = |input: usize| RecurrentConfig::new(cell, input, 4);
            let made = |config: RecurrentConfig| config.init(&device).unwrap();
            let words = "the recurrent layer's input size is [6] but 3 + 4 (x and what is fed back)";
            table.refuses("Luong, input", words, || LuongDecoder::new(3, 4, made(layer(6)), dot(), &device));
            let words = "the recurrent layer's input size is [8] but 3 + 4 (x and the context)";
            table.refuses("Bahdanau, input", words, || BahdanauDecoder::new(3, 4, made(layer(8)), dot()));
            let both = || made(layer(7).with_bidirectional(true));
            let words = "a bidirectional layer cannot step";
            table.refuses("Luong, both", words, || LuongDecoder::new(3, 4, both(), dot(), &device));
            table.refuses("Bahdanau, both", words, || BahdanauDecoder::new(3, 4, both(), dot()));
            let words = "input size is 0 but must be at least 1";
            table.refuses("Luong, no input", words, || LuongDecoder::new(0, 4, made(layer(4)), dot(), &device));
            table.refuses("Bahdanau, no input", words, || BahdanauDecoder::new(0, 4, made(layer(4)), dot()));
            let decoder = BahdanauDecoder::new(3, 4, made(layer(7)), dot()).unwrap();
            let words = if cell == Cell::Lstm { "the state lacks a cell state" } else { "the state has a cell state" };
            table.refuses("Bahdanau, cell state", words, || {
                let memory = decoder.memory(random([2, 7, 4], &device), &Mask::none())?;
                let hidden = random([1, 2, 4], &device);
                let state = State { cell: (cell != Cell::Lstm).then(|| hidden.clone()), hidden };
                decoder.step(random(X, &device), state, &memory, &Mask::none(), false)
            });
        }
    }
}
