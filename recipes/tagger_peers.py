"""What others reach on the recipes of tagging, on the valid part: a linear CRF, and a trainable perceptron that cuts words.

    python recipes/tagger_peers.py crfsuite turkish tweets
    python recipes/tagger_peers.py perceptron
    python recipes/tagger_peers.py words FILE

The first trains python-crfsuite with its usual features on a recipe. The second trains the cutter and the tagger of
ltp-extension on peoples-daily. The third judges the words in FILE, columns of a character, its tag and the tag that was
predicted, as `lookback predict --output-format conll` writes them for the recipe words-zh. `tagger_requirements.txt` names
the versions.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from spans import entities, f1, is_bio, joined, spans_of_words, without_labels
from tagged import Sentence, accuracy, read_columns, read_part

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description="Train and judge others' taggers on the recipes.")
    commands = parser.add_subparsers(required=True)
    crf = commands.add_parser("crfsuite", help="a linear CRF on recipes")
    crf.add_argument("recipes", nargs="+", help="peoples-daily, brown, turkish, tweets")
    crf.add_argument(
        "--neighbours", choices=("usual", "all"), default="usual", help="which features of a token its neighbours see"
    )
    crf.set_defaults(run=crfsuite)
    perceptron_of = commands.add_parser("perceptron", help="ltp-extension's perceptron on peoples-daily")
    perceptron_of.add_argument("--epochs", type=int, default=10)
    perceptron_of.add_argument(
        "--algorithm", choices=("AP", "Pa", "PaI", "PaII"), default="Pa", help="averaged or passive-aggressive"
    )
    perceptron_of.set_defaults(run=perceptron)
    words = commands.add_parser("words", help="judge predicted words")
    words.add_argument("file", type=Path)
    words.set_defaults(run=predicted_words)
    arguments = parser.parse_args()
    arguments.run(arguments)


def crfsuite(arguments: argparse.Namespace) -> None:
    """Train and judge a CRF on every recipe that is named."""
    import pycrfsuite

    for recipe in arguments.recipes:
        train, valid = (read_part(HERE / recipe, part) for part in ("train", "valid"))
        trainer = pycrfsuite.Trainer(verbose=False)
        trainer.set_params({"c1": 1.0, "c2": 1e-3, "max_iterations": 50, "feature.possible_transitions": True})
        start = time.perf_counter()
        for sentence in train:
            trainer.append(features(sentence, arguments.neighbours), [tag for _, tag in sentence])
        with tempfile.TemporaryDirectory() as folder:
            model = str(Path(folder) / "model")
            trainer.train(model)
            trained = time.perf_counter() - start
            tagger = pycrfsuite.Tagger()
            tagger.open(model)
            start = time.perf_counter()
            answers = [tagger.tag(features(sentence, arguments.neighbours)) for sentence in valid]
            speed = sum(map(len, answers)) / (time.perf_counter() - start)
        scores = f"token accuracy {100 * accuracy(answers, valid):.2f} %"
        gold = [[tag for _, tag in sentence] for sentence in valid]
        if is_bio(gold):
            scores += f", of entities {f1(map(entities, answers), map(entities, gold))}"
        print(f"{recipe}: {scores}; trained {trained:.1f} s, {speed:,.0f} tokens a second", flush=True)


def features(sentence: Sentence, neighbours: str) -> list[list[str]]:
    """Of each token: itself in lower case, its last letters, how it is written, and some of its neighbours."""
    tokens = [token for token, _ in sentence]
    own = [[f"{name}={value}" for name, value in of_token(token).items()] for token in tokens]
    seen = own if neighbours == "all" else [[f"{name}={of_token(token)[name]}" for name in USUAL] for token in tokens]
    rows = []
    for index, of_this in enumerate(own):
        before = [f"-1:{feature}" for feature in seen[index - 1]] if index else ["BOS"]
        behind = [f"+1:{feature}" for feature in seen[index + 1]] if index + 1 < len(tokens) else ["EOS"]
        rows.append(["bias", *of_this, *before, *behind])
    return rows


# What the tutorial of python-crfsuite shows of a token to its neighbours; it has no suffix of them.
USUAL = ("word.lower", "word.istitle", "word.isupper")


def of_token(token: str) -> dict[str, str | bool]:
    """The features of python-crfsuite's tutorial, without the part of speech that its data have."""
    return {
        "word.lower": token.lower(),
        "word[-3:]": token[-3:],
        "word[-2:]": token[-2:],
        "word.isupper": token.isupper(),
        "word.istitle": token.istitle(),
        "word.isdigit": token.isdigit(),
    }


def perceptron(arguments: argparse.Namespace) -> None:
    """Train a cutter on words and a tagger on words with tags; judge them one behind the other, as they are used."""
    from ltp_extension.perceptron import CWSTrainer, POSTrainer

    train, valid = (read_part(HERE / "peoples-daily", part) for part in ("train", "valid"))
    labels = sorted({tag for sentence in train for _, tag in sentence})
    cutter, cut_in = fit(CWSTrainer(), arguments, [words_of(train), words_of(valid)])
    # A tag that it was never told of would stop it; it is judged without those sentences here, but not below.
    known = [sentence for sentence in valid if all(tag in labels for _, tag in sentence)]
    tagger, tagged_in = fit(POSTrainer(labels), arguments, [pairs_of(train), pairs_of(known)])
    print(f"trained {arguments.epochs} epochs: the cutter {cut_in:.1f} s, the tagger {tagged_in:.1f} s")

    start = time.perf_counter()
    words = [cutter.predict("".join(word for word, _ in sentence)) for sentence in valid]
    cut = time.perf_counter()
    tags = [tagger.predict(row) for row in words]
    end = time.perf_counter()
    gold = [spans_of_words(sentence) for sentence in valid]
    found = [spans_of_words(list(zip(*row))) for row in zip(words, tags)]
    print(f"words: {f1(map(without_labels, found), map(without_labels, gold))}")
    print(f"words with tags: {f1(found, gold)}")
    answers = (tagger.predict([word for word, _ in sentence]) for sentence in valid)
    print(f"tags of the words as they are: {100 * accuracy(answers, valid):.2f} %")
    characters, count = sum(len(word) for row in words for word in row), sum(map(len, words))
    print(
        f"predicted on one thread: {characters / (cut - start):,.0f} characters a second cut, {count / (end - cut):,.0f} words a "
        f"second tagged, {characters / (end - start):,.0f} characters a second both"
    )


def words_of(sentences: list[Sentence]) -> str:
    """Sentences as the cutter's training reads them."""
    return "".join(" ".join(word for word, _ in sentence) + "\n" for sentence in sentences)


def pairs_of(sentences: list[Sentence]) -> str:
    """Sentences as the tagger's training reads them."""
    return "".join(" ".join(f"{word}/{tag}" for word, tag in sentence) + "\n" for sentence in sentences)


def fit(trainer: Any, arguments: argparse.Namespace, parts: list[str]) -> tuple[Any, float]:
    """A model of a trainer of ltp-extension, and the seconds that its training took.

    It judges every epoch, and at the end drops the weights that it can do without by what it is judged on: with nothing to be
    judged on it drops too many and loses points. It gets the valid part, which flatters it.
    """
    from ltp_extension.perceptron import Algorithm

    trainer.epoch, trainer.algorithm, trainer.eval_threads = arguments.epochs, Algorithm(arguments.algorithm), 1
    with tempfile.TemporaryDirectory() as folder:
        for load, text in zip((trainer.load_train_data, trainer.load_eval_data), parts):
            file = Path(folder) / "part.txt"
            file.write_text(text, encoding="utf-8")
            load(str(file))
    start = time.perf_counter()
    return trainer.train(), time.perf_counter() - start


def predicted_words(arguments: argparse.Namespace) -> None:
    """Words by the predicted tags against those by the right ones, both B, M, E or S and a part of speech."""
    text = arguments.file.read_text(encoding="utf-8")
    gold, found = ([joined(sentence) for sentence in read_columns(text, tag=column)] for column in (-2, -1))
    print(f"words: {f1(map(without_labels, found), map(without_labels, gold))}")
    print(f"words with tags: {f1(found, gold)}")


if __name__ == "__main__":
    main()
