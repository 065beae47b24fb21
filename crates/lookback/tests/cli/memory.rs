//! Memory in proportion to the input: files, rows, labels and options that would ask for far more than they hold.
//!
//! The program runs in an address space that is small beside what each case asked for before it was mended.

use crate::program::{Folder, Run, TINY_SERIES, lookback_within};

/// An address space, in MiB, in which every small run of the program finds room.
const ROOM: u64 = 700;

/// Trains on `data` in this address space; options follow.
fn train_within(mib: u64, data: &str, output: &str, network: &[&str], more: &[&str]) -> Run {
    lookback_within(mib, &[&["train", "classify", data, "-o", output], network, more].concat(), "")
}

#[test]
fn channels_of_unequal_lengths_are_refused_before_memory_is_taken_for_their_product() {
    let folder = Folder::new();
    let long = vec!["1"; 20_000].join(",");
    let file = format!("@univariate false\n@classLabel true x y\n@data\n{long}{}:x\n", ":1".repeat(20_000));
    let data = folder.write("bomb.ts", file);
    let run = train_within(ROOM, &data, &folder.path("model"), &TINY_SERIES, &[]);
    run.refused(2, &["bomb.ts, line 4: channel 2 has 1 value but channel 1 has 20000; as many expected"]);
}
