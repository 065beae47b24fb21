use super::*;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// 7 positions, 3 unique tokens: the first has no n-grams, the second two, the third the same one twice.
fn example() -> (Lookup, Vec<Vec<f32>>, Vec<usize>) {
    let lookup = Lookup {
        positions: vec![0, 2, NO_TOKEN, 1, 0, 2, NO_TOKEN],
        unique: 3,
        bags: vec![Bags::single(vec![4, 1, 4]), Bags { offsets: vec![0, 0, 2, 4], ids: vec![0, 3, 2, 2] }],
    };
    let mut rng = StdRng::seed_from_u64(5);
    let rows = vec![5, 4];
    let tables = rows.iter().map(|rows| (0..rows * 3).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    (lookup, tables, rows)
}

fn laid_out(lookup: &Lookup, tables: &[Vec<f32>], threads: usize) -> Vec<f32> {
    let tables: Vec<&[f32]> = tables.iter().map(Vec::as_slice).collect();
    forward(lookup, &tables, 3, threads).unwrap()
}

#[test]
fn a_token_is_its_own_vector_and_the_mean_of_its_parts() {
    let (lookup, tables, _) = example();
    let output = laid_out(&lookup, &tables, 1);
    for c in 0..3 {
        assert_eq!(output[c], tables[0][4 * 3 + c]);
        assert_eq!(output[2 * 3 + c], 0.0);
        let mean = 0.5 * (tables[1][c] + tables[1][3 * 3 + c]);
        assert!((output[3 * 3 + c] - (tables[0][3 + c] + mean)).abs() < 1e-6);
        assert!((output[5 * 3 + c] - (tables[0][4 * 3 + c] + tables[1][2 * 3 + c])).abs() < 1e-6);
    }
}

#[test]
fn the_gradient_is_the_transpose_of_the_lookup() {
    let (lookup, tables, rows) = example();
    let mut rng = StdRng::seed_from_u64(6);
    let upstream: Vec<f32> = (0..21).map(|_| rng.random_range(-1.0..1.0)).collect();
    let gradients = backward(&lookup, &rows, 3, &upstream, &[true, true], 2).unwrap();
    // The lookup is linear: <upstream, lookup(tables)> = <gradients, tables>, for any tables.
    for table in 0..2 {
        for index in 0..tables[table].len() {
            let mut unit = vec![vec![0.0; 15], vec![0.0; 12]];
            unit[table][index] = 1.0;
            let expected: f32 = laid_out(&lookup, &unit, 2).iter().zip(&upstream).map(|(a, b)| a * b).sum();
            let found = gradients[table].as_ref().unwrap()[index];
            assert!((found - expected).abs() < 1e-6, "table {table}, value {index}: {found} instead of {expected}");
        }
    }
    assert!(backward(&lookup, &rows, 3, &upstream, &[false, true], 1).unwrap()[0].is_none());
}

#[test]
fn fast_equals_the_reference() {
    let mut rng = StdRng::seed_from_u64(7);
    for (unique, positions, width, rows) in
        [(0, 3, 2, [1, 1]), (1, 1, 1, [1, 2]), (9, 40, 5, [12, 7]), (70, 300, 33, [90, 5])]
    {
        let mut bags = rows.map(|rows| {
            let mut bags = Bags { offsets: vec![0], ids: Vec::new() };
            for _ in 0..unique {
                bags.ids.extend((0..rng.random_range(0..4)).map(|_| rng.random_range(0..rows as u32)));
                bags.offsets.push(bags.ids.len() as u32);
            }
            bags
        });
        bags[0] = Bags::single((0..unique as u32).map(|token| token % rows[0] as u32).collect());
        let token = |draw: usize| if draw < unique { draw as u32 } else { NO_TOKEN };
        let positions: Vec<u32> = (0..positions).map(|_| token(rng.random_range(0..=unique))).collect();
        let lookup = Lookup { positions, unique, bags: bags.to_vec() };
        let mut draw = |count: usize| (0..count).map(|_| rng.random_range(-1.0f32..1.0)).collect::<Vec<_>>();
        let (tables, upstream) = (rows.map(|rows| draw(rows * width)), draw(lookup.positions.len() * width));
        let wide = |values: &Vec<f32>| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let close = |found: &[f32], want: &[f64]| {
            assert_eq!(found.len(), want.len());
            for (found, want) in found.iter().zip(want) {
                assert!((f64::from(*found) - want).abs() < 1e-5 * want.abs().max(1.0), "{found}, want {want}");
            }
        };
        let in_f64 = tables.each_ref().map(wide);
        let want = reference::forward(&lookup, &in_f64.each_ref().map(Vec::as_slice), width);
        close(&forward(&lookup, &tables.each_ref().map(Vec::as_slice), width, 2).unwrap(), &want);
        let want = reference::backward(&lookup, &rows, width, &wide(&upstream));
        let found = backward(&lookup, &rows, width, &upstream, &[true; 2], 2).unwrap();
        for (found, want) in found.iter().zip(&want) {
            close(found.as_ref().unwrap(), want);
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let (lookup, tables, rows) = example();
    let upstream: Vec<f32> = (0..21).map(|value| (value as f32).sin()).collect();
    assert_eq!(laid_out(&lookup, &tables, 1), laid_out(&lookup, &tables, 3));
    let one = backward(&lookup, &rows, 3, &upstream, &[true, true], 1);
    for threads in [2, 3, 9] {
        assert_eq!(one, backward(&lookup, &rows, 3, &upstream, &[true, true], threads));
    }
}

#[test]
fn indices_outside_are_refused_by_name() {
    let (lookup, _, rows) = example();
    assert_eq!(lookup.check(&rows), Ok(()));
    let refused = |lookup: &Lookup, rows: &[usize]| lookup.check(rows).unwrap_err().to_string();
    assert_eq!(refused(&lookup, &[4, 4]), "ids[0] is 4 but there are 4 rows in table 0");
    assert_eq!(refused(&lookup, &[4]), "bags has 2 values but its shape [tables] = [1] has 1");
    let wrong = Lookup { positions: vec![3], ..lookup.clone() };
    assert_eq!(refused(&wrong, &rows), "positions[0] is 3 but there are 3 unique tokens");
    let wrong = Lookup { unique: 4, ..lookup };
    assert_eq!(refused(&wrong, &rows), "the offsets of table 0 do not part 3 ids among 4 unique tokens");
}
