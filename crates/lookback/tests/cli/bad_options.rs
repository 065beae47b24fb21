//! Options: what is refused, and what wins over what.

use crate::program::{Folder, lookback, sentences, train};

#[test]
fn an_unknown_task_command_or_option_is_refused() {
    lookback(&["train", "summon", "x.tsv"]).refused(2, &["summon"]);
    lookback(&["dance"]).refused(2, &["dance"]);
    lookback(&["train", "classify", "x.tsv", "--hiden", "3"]).refused(2, &["--hiden", "--hidden"]);
    lookback(&["explain", "model", "text", "--png", "x.png"]).refused(2, &["--png"]);
}

#[test]
fn values_that_make_no_sense_are_refused_by_name() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let cases: [(&[&str], &str); 28] = [
        (&["--epochs", "0"], "epochs is 0"),
        (&["--batch-size", "0"], "batch-size is 0"),
        (&["--layers", "65"], "layers is 65; it must be from 0 to 64"),
        (&["--layers", "0", "--hidden", "8"], "hidden is about recurrent layers, but --layers is 0"),
        (&["--layers", "0", "--pooling", "mean+last"], "last reads the final state"),
        (&["--dropout", "1"], "dropout is 1"),
        (&["--dropout", "NaN"], "dropout is NaN"),
        (&["--learning-rate", "-0.1"], "learning-rate"),
        (&["--learning-rate", "inf"], "learning-rate is inf"),
        (&["--momentum", "0.9"], "momentum is for the optimisers sgd and rmsprop"),
        (&["--average-decay", "0.9"], "average-decay needs --average ema"),
        (&["--average", "swa", "--average-start", "99"], "average-start is epoch 99"),
        (&["--pooling", "median"], "pooling 'median' is unknown"),
        (&["--pooling", "max+max"], "pooling names max twice"),
        (&["--char-ngrams", "5-2"], "char-ngrams is '5-2'"),
        (&["--char-buckets", "10"], "char-buckets needs --char-ngrams"),
        (
            &["--linear-words", "none", "--linear-characters", "none", "--linear-buckets", "10"],
            "linear-buckets is for a linear part, but --linear-characters and --linear-words are none",
        ),
        (
            &["--linear-words", "none", "--linear-characters", "none", "--linear-c", "2"],
            "linear-c is for a linear part",
        ),
        (&["--cross-validate", "1"], "cross-validate is 1; it must be from 2 to 100, or 0 for none"),
        (&["--linear-characters", "0-2"], "linear-characters is '0-2'"),
        (&["--linear-words", "2-1"], "linear-words is '2-1'"),
        (&["--linear-words", "1", "--linear-buckets", "0"], "linear-buckets is 0"),
        (&["--linear-words", "1", "--linear-c", "NaN"], "linear-c is NaN"),
        (&["--linear-c", "1e-46"], "it must be from 0.000001 to 100000"),
        (&["--ensemble", "0"], "ensemble is 0"),
        (&["--ensemble", "65"], "ensemble is 65; it must be from 1 to 64"),
        (&["--validation-split", "1"], "validation-split is 1"),
        (&["--validation-split", "0", "--patience", "3"], "patience needs validation data"),
    ];
    for (options, sentence) in cases {
        let output = folder.path("model");
        lookback(&[&["train", "classify", &data, "-o", &output], options].concat()).refused(2, &[sentence]);
    }
    train(&data, &folder.path("model"), &["--cell", "gru", "--forget-bias", "1"]).refused(2, &["forget-bias"]);
    train(&data, &folder.path("model"), &["--id", "1"]).refused(2, &["id is for numeric series"]);
    lookback(&["inspect", "model", "--threads", "0"]).refused(2, &["threads is 0"]);
}

#[test]
fn options_stand_in_a_file_and_a_flag_wins_over_it() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let config = folder.write(
        "options.toml",
        "# small\ncell = \"gru\"\nhidden = 6\nembedding = 5\nepochs = 3\nlearning-rate = 1\npooling = 'last'\nvalidation-split = 0.2\n",
    );
    let model = folder.path("model.safetensors");
    let arguments = ["train", "classify", &data, "-o", &model, "--config", &config, "--learning-rate", "0.02"];
    lookback(&[&arguments[..], &["--epochs", "1"]].concat()).ok();
    let text = lookback(&["inspect", &model]).ok();
    for part in
        ["bidirectional GRU with 6 hidden", "pooling by last", "epochs = 1", "learning-rate = 0.02", "validated on 18"]
    {
        assert!(text.contains(part), "'{part}' is not in:\n{text}");
    }
}

#[test]
fn a_wrong_options_file_is_refused_with_its_line() {
    let folder = Folder::new();
    let data = folder.write("data.tsv", sentences());
    let refused = |content: &str, parts: &[&str]| {
        let config = folder.write("options.toml", content);
        let parts = [&["options.toml"], parts].concat();
        train(&data, &folder.path("model"), &["--config", &config]).refused(2, &parts);
    };
    refused("epochs = 2\nhiden = 6\n", &["line 2", "no option 'hiden'", "hidden"]);
    refused("\n\nepochs = 'two'\n", &["line 3", "epochs"]);
    refused("epochs = 2\nepochs 3\n", &["line 2", "not valid TOML"]);
    refused("epochs = -2\n", &["line 1", "epochs"]);
    refused("optimizer = 'adm'\n", &["line 1", "optimizer", "adam"]);
    refused("[model]\nhidden = 3\n", &["line 1", "no option 'model'"]);
    train(&data, &folder.path("model"), &["--config", &folder.path("none.toml")]).refused(2, &["none.toml"]);
}

#[test]
fn help_tells_every_command() {
    let help = lookback(&["--help"]).ok();
    for command in ["demo", "train", "evaluate", "predict", "explain", "inspect"] {
        assert!(help.contains(command), "{help}");
    }
    let tasks = lookback(&["train", "--help"]).ok();
    assert!(tasks.contains("classify") && tasks.contains("One label for a whole text or numeric series"), "{tasks}");
    assert!(lookback(&["--version"]).ok().starts_with("lookback 0."));
}

#[test]
fn a_name_in_a_file_is_understood_with_underscores_and_a_wrong_one_is_answered_with_the_nearest() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.tsv", sentences()), folder.path("model"));
    let with = |text: &str| {
        let config = folder.write("options.toml", text);
        train(&data, &model, &["--epochs", "1", "--config", &config])
    };
    with("learning_rate = 0.125\n").ok();
    assert!(lookback(&["inspect", &model]).ok().contains("learning-rate = 0.125"));
    with("seed = 1\nlearning_rate = 'x'\n").refused(2, &["options.toml, line 2: learning-rate"]);
    with("learning_rate = 1.0\nlearning-rate = 2.0\n")
        .refused(2, &["line 1", "'learning_rate' and 'learning-rate' are"]);
    with("\nlernrate = 0.1\n").refused(2, &["line 2: there is no option 'lernrate'; did you mean 'learning-rate'?"]);
    with("zzz = 0.1\n").refused(2, &["there is no option 'zzz'; there are"]);
}

#[test]
fn an_option_whose_value_may_be_left_out_does_not_swallow_the_file() {
    let folder = Folder::new();
    let (data, model) = (folder.write("data.tsv", sentences()), folder.path("model"));
    let train =
        |option: &str| lookback(&["train", "classify", option, &data, "-o", &model, "--epochs", "1", "--hidden", "4"]);
    train("--recompute").ok();
    assert!(lookback(&["inspect", &model, "--config"]).ok().contains("recompute = true"));
    train("--recompute=false").ok();
    assert!(lookback(&["inspect", &model, "--config"]).ok().contains("recompute = false"));
    train("--bidirectional").refused(2, &["--bidirectional", "true, false"]);
}
