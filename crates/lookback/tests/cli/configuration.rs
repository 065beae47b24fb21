//! What stands in a file of options for the program itself, not for its task.

use crate::program::{Folder, TINY, lookback, sentences};

#[test]
fn where_files_go_and_how_many_threads_there_are_may_stand_in_a_file() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let toml = |name: &str| format!("{:?}", folder.path(name));
    let (first, second) = (folder.path("first"), folder.path("second"));
    lookback(&[&["train", "classify", &data, "-o", &first], TINY.as_slice(), &["--epochs", "1"]].concat()).ok();
    let config = folder.write(
        "options.toml",
        format!(
            "output = {}\nthreads = 1\ncheckpoint = {}\ncheckpoint_every = '1steps'\nlog = {}\nlog-steps = 2\ninit = {}\n\
             extend = true\nvalidation = {:?}\nmax-memory = 512\nhidden = 8\nepochs = 2\n",
            toml("second"),
            toml("saved"),
            toml("log.jsonl"),
            toml("first"),
            data
        ),
    );
    let run = lookback(&["train", "classify", &data, "--config", &config, "--epochs", "1"]);
    assert!(run.out.contains("second: the model of epoch 1"), "{}{}", run.out, run.err);
    run.ok();
    let log = std::fs::read_to_string(folder.path("log.jsonl")).unwrap();
    assert!(log.contains("\"step\":2") && !log.contains("\"epoch\":2"), "a flag wins, {log}");
    let inspected = lookback(&["inspect", &second]).ok();
    assert!(inspected.contains("max-memory = 512") && inspected.contains("validated on 90"), "{inspected}");
    // The same options as flags give the same bytes.
    let written = std::fs::read(&second).unwrap();
    let flags = ["--init", &first, "--extend", "--validation", &data, "--max-memory", "512", "--epochs", "1"];
    let third = folder.path("third");
    lookback(&[&["train", "classify", &data, "-o", &third, "--hidden", "8"], &flags[..]].concat()).ok();
    assert!(written == std::fs::read(third).unwrap());
    // A flag wins over the file here, too.
    let fourth = folder.path("fourth");
    let run = lookback(&["train", "classify", &data, "--config", &config, "--epochs", "1", "-o", &fourth]);
    assert!(run.out.contains("fourth: the model"), "{}", run.out);
    run.ok();
}

#[test]
fn validation_data_and_the_first_model_stand_in_the_options_of_a_model() {
    let folder = Folder::new();
    let (data, validation) = (folder.write("data.tsv", sentences()), folder.write("validation.tsv", sentences()));
    let first = folder.path("first");
    lookback(&[&["train", "classify", &data, "-o", &first], TINY.as_slice(), &["--epochs", "1"]].concat()).ok();
    let more = folder.write("more.tsv", format!("{}{}", sentences(), "sport\tplease play ball\n".repeat(5)));
    let on_first: &[&str] = &["--init", &first, "--extend", "--epochs", "2"];
    let of_file: &[&str] = &["--validation", &validation, "--epochs", "2", "--hidden", "8", "--cross-validate", "0"];
    let conll = folder.write("data.conll", "she O\nsoup B\n\nhe O\nrain B\n\n".repeat(9));
    let tags: &[&str] = &["--validation", &conll, "--epochs", "2", "--hidden", "8"];
    let cases = [("classify", &data, of_file), ("classify", &more, on_first), ("tag", &conll, tags)];
    for (task, data, options) in cases {
        let (model, again) = (folder.path("model"), folder.path("again"));
        lookback(&[&["train", task, data, "-o", &model], options].concat()).ok();
        let config = lookback(&["inspect", &model, "--config"]).ok();
        assert!(config.contains(&format!("{} = {:?}", &options[0][2..], options[1])), "{config}");
        let config = folder.write("config.toml", config);
        lookback(&["train", task, data, "-o", &again, "--config", &config]).ok();
        assert!(std::fs::read(&model).unwrap() == std::fs::read(&again).unwrap(), "{task} {options:?}");
    }
}

#[test]
fn what_is_wrong_with_them_in_a_file_is_told() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let refused = |content: &str, parts: &[&str]| {
        let config = folder.write("options.toml", content);
        lookback(&["train", "classify", &data, "--config", &config]).refused(2, parts);
    };
    refused("threads = 0\n", &["--threads is 0; it must be from 1"]);
    refused("\nthreads = 'two'\n", &["options.toml, line 2: threads: found the string \"two\""]);
    refused("output = 3\n", &["options.toml, line 1: output"]);
    refused(
        "checkpoint-every = '5'\n",
        &["options.toml, line 1: checkpoint-every", "such as 200steps, 300s, 5min or 1h"],
    );
    refused("extend = true\n", &["--extend needs --init"]);
    refused("log-steps = 3\n", &["--log-steps needs --log"]);
    refused("log = 'x'\nlog-steps = 0\n", &["--log-steps is 0"]);
    refused("outptu = 'x'\n", &["there is no option 'outptu'; did you mean 'output'?", "threads"]);
    refused("resume = true\n", &["there is no option 'resume'"]);
    let config = folder.write("options.toml", format!("output = {data:?}\n"));
    lookback(&["train", "classify", &data, "--config", &config]).refused(2, &["cannot be the output as well"]);
    lookback(&["train", "classify", &data, "--extend"]).refused(2, &["--extend needs --init"]);
    assert_eq!(folder.names().len(), 2, "nothing is written");
}
