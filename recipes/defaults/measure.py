"""Train with no option at all, beside the usual baselines, and print a table.

    python3 measure.py PROGRAM [NAME ...]     # the sets of prepare.py; PROGRAM is the built `lookback`
    python3 measure.py PROGRAM --chosen-by    # those by which the defaults were chosen
    python3 measure.py PROGRAM --intents      # the built-in intents, 105, 30 and 10 a class, beside naive Bayes
    python3 measure.py PROGRAM --qualities    # --quality fast, balanced and best on those by which they were chosen

Logistic regression weighs TF-IDF of words and their pairs (Chinese: of one to three characters) with C 10, as
scikit-learn has them; fastText learns 25 epochs over words and pairs (Chinese: characters). All use two threads.
Needs scikit-learn and fasttext-wheel.
"""

import csv
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

from prepare import CHOSEN_BY, HERE, TESTED_ON

csv.field_size_limit(10**9)
warnings.filterwarnings("ignore")
Part = tuple[list[str], list[str]]


def read(path: Path) -> Part:
    """Labels and texts."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return [row[0] for row in rows], [row[1] for row in rows]


def is_chinese(texts: list[str]) -> bool:
    """Whether a third of the characters are Han."""
    characters = "".join(texts)
    return 3 * sum("\u4e00" <= character <= "\u9fff" for character in characters) > len(characters)


def share(answers: list[str], labels: list[str]) -> float:
    """Right answers, in percent."""
    return 100 * sum(answer == label for answer, label in zip(answers, labels)) / len(labels)


def logistic_regression(train: Part, test: Part) -> float:
    """TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    chinese = is_chinese(train[1])
    options = {"analyzer": "char", "ngram_range": (1, 3)} if chinese else {"ngram_range": (1, 2)}
    vectors = TfidfVectorizer(**options)
    model = LogisticRegression(C=10, max_iter=300).fit(vectors.fit_transform(train[1]), train[0])
    return share(list(model.predict(vectors.transform(test[1]))), test[0])


def fasttext(train: Part, test: Part) -> float:
    """fastText's classifier."""
    import fasttext as library

    chinese = is_chinese(train[1])
    numbers = {label: f"__label__{number}" for number, label in enumerate(sorted(set(train[0])))}
    names = {number: label for label, number in numbers.items()}

    def tokens(text: str) -> str:
        return " ".join("".join(text.split())) if chinese else text.lower()

    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.writelines(f"{numbers[label]} {tokens(text)}\n" for label, text in zip(*train))
        file.flush()
        model = library.train_supervised(file.name, epoch=25, wordNgrams=2, thread=2, verbose=0)
    return share([names[model.predict(tokens(text))[0][0]] for text in test[1]], test[0])


def naive_bayes(train: Part, test: Part) -> float:
    """Multinomial naive Bayes over words and one to three characters."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline, make_union

    counts = make_union(CountVectorizer(), CountVectorizer(analyzer="char", ngram_range=(1, 3)))
    model = make_pipeline(counts, MultinomialNB()).fit(train[1], train[0])
    return share(list(model.predict(test[1])), test[0])


def ours(program: str, train: Path, test: Path, options: tuple[str, ...] = ()) -> tuple[float, float]:
    """Accuracy in percent with no option, or these, and the calibration error."""
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model.safetensors"
        command = [program, "train", "classify", str(train), "-o", model, "--threads", "2", "--quiet", *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        judged = subprocess.run([program, "--quiet", "evaluate", model, str(test), "--json"], check=True, capture_output=True)
    metrics = json.loads(judged.stdout)
    return 100 * metrics["accuracy"], 100 * metrics["calibration_error"]


def timed(function, *arguments):
    """What it gives, and the seconds it took."""
    start = time.monotonic()
    return function(*arguments), time.monotonic() - start


def sets(program: str, names: list[str]) -> None:
    """The table over the sets of prepare.py."""
    print("| data | train / test | labels | ours | TF-IDF + LR | fastText | ours - better | seconds: ours / LR / fastText | calibration error |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    margins = []
    for name in names:
        files = [HERE / "data" / name / f"{part}.tsv" for part in ("train", "test")]
        train, test = map(read, files)
        (accuracy, error), seconds = timed(ours, program, *files)
        regression, regression_seconds = timed(logistic_regression, train, test)
        fast, fast_seconds = timed(fasttext, train, test)
        margins.append(accuracy - max(regression, fast))
        print(
            f"| {name} | {len(train[0]):,} / {len(test[0]):,} | {len(set(train[0]))} | {accuracy:.1f} | {regression:.1f} |"
            f" {fast:.1f} | {margins[-1]:+.1f} | {seconds:.0f} / {regression_seconds:.0f} / {fast_seconds:.0f} | {error:.1f} |",
            flush=True,
        )
    print(f"\nMean margin {sum(margins) / len(margins):+.2f}, least {min(margins):+.1f}.")


def qualities(program: str, names: list[str]) -> None:
    """The table over what is spent."""
    print("| data | fast | balanced | best | seconds |\n|---|---|---|---|---|", flush=True)
    means = defaultdict(list)
    for name in names:
        files = [HERE / "data" / name / f"{part}.tsv" for part in ("train", "test")]
        accuracies, seconds = [], []
        for quality in ("fast", "balanced", "best"):
            (accuracy, _), took = timed(ours, program, *files, ("--quality", quality))
            means[quality].append(accuracy)
            accuracies.append(f"{accuracy:.1f}")
            seconds.append(f"{took:.0f}")
        print(f"| {name} | {' | '.join(accuracies)} | {' / '.join(seconds)} |", flush=True)
    print("\nMean: " + ", ".join(f"{quality} {sum(all) / len(all):.2f}" for quality, all in means.items()) + ".")


def intents(program: str) -> None:
    """The table over parts of the built-in intents."""
    demo = HERE.parent.parent / "crates" / "lookback" / "src" / "demo"
    labels, texts = read(demo / "train.tsv")
    test = read(demo / "test.tsv")
    print("| a class | ours | naive Bayes |\n|---|---|---|", flush=True)
    for count in (105, 30, 10):
        seen = defaultdict(int)
        rows = []
        for label, text in zip(labels, texts):
            seen[label] += 1
            if seen[label] <= count:
                rows.append((label, text))
        with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerows([("label", "text"), *rows])
            file.flush()
            accuracy, _ = ours(program, Path(file.name), demo / "test.tsv")
        bayes = naive_bayes(tuple(map(list, zip(*rows))), test)
        print(f"| {count} | {accuracy:.1f} | {bayes:.1f} |", flush=True)


def main() -> None:
    """What is asked for."""
    program, *names = sys.argv[1:]
    if names == ["--intents"]:
        intents(program)
    elif names[:1] == ["--qualities"]:
        qualities(program, names[1:] or list(CHOSEN_BY))
    elif names == ["--chosen-by"]:
        sets(program, list(CHOSEN_BY))
    else:
        sets(program, names or list(TESTED_ON))


if __name__ == "__main__":
    main()
