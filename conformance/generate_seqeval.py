"""Write what seqeval 1.2.2 makes of tags, for the scores of spans in Lookback to be compared with.

    python3 -m venv .venv && .venv/bin/pip install seqeval==1.2.2
    .venv/bin/python conformance/generate_seqeval.py        writes conformance/seqeval.json again

Each case is `[letters, truth, answers, default, strict]`. `letters` names the scheme that strict mode reads, truth and answers
are sentences of tags. Both results are `{"labels": {label: [precision, recall, f1, support]}, "micro": [p, r, f1], "macro": ..,
"weighted": ..}`, or null: seqeval's default mode does not know the letters L and U, and finds nothing at all in some cases.
"""

import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path

from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.metrics.v1 import unique_labels
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES

SCHEMES = {"bio": IOB2, "iob1": IOB1, "bioes": IOBES, "bilou": BILOU}
LETTERS = {"bio": "BI", "iob1": "BI", "bioes": "BIES", "bilou": "BILU"}
CASES_PER_SCHEME = 55

# What goes wrong in data and answers: truth, answers.
NASTY = {
    "bio": [
        ([["O", "O"]], [["O", "O"]]),
        ([[]], [[]]),
        ([["B-A"], []], [["B-A"], []]),
        ([["I-A", "I-A", "O"]], [["B-A", "I-A", "O"]]),
        ([["B-A", "I-B"]], [["B-A", "I-A"]]),
        ([["O", "I-A", "I-B", "B-B"]], [["O", "B-A", "B-B", "I-B"]]),
        ([["B-A", "I-A"]], [["O", "O"]]),
        ([["O", "O"]], [["B-A", "I-A"]]),
        ([["B-A", "I-A"], ["I-A", "O"]], [["B-A", "I-A"], ["I-A", "O"]]),
        ([["B-A-B", "I-A-B", "B-A"]], [["B-A-B", "I-A-B", "I-A"]]),
        ([["B", "I", "O", "B"]], [["B", "I", "I", "B"]]),
    ],
    "iob1": [
        ([["I-A", "I-A", "B-A"]], [["I-A", "B-A", "B-A"]]),
        ([["B-A", "O", "B-B"]], [["I-A", "O", "I-B"]]),
        ([["B-A", "B-B", "I-B"]], [["I-A", "I-B", "I-B"]]),
    ],
    "bioes": [
        ([["B-A", "O", "E-A"]], [["S-A", "O", "S-A"]]),
        ([["B-A", "B-A", "E-A"]], [["S-A", "B-A", "E-A"]]),
        ([["S-A", "I-A", "E-A", "E-A"]], [["S-A", "B-A", "E-A", "S-A"]]),
        ([["I-A", "S-A", "B-B", "E-A"]], [["E-A", "S-A", "B-B", "E-B"]]),
        ([["B", "E", "S", "S"]], [["B", "I", "E", "S"]]),
    ],
    "bilou": [
        ([["U-A", "U-A", "B-A", "L-A"]], [["U-A", "B-A", "I-A", "L-A"]]),
        ([["B-A", "L-B", "O", "L-A"]], [["B-A", "L-A", "O", "U-A"]]),
    ],
}


def main() -> None:
    """Write the committed file."""
    warnings.simplefilter("ignore")
    cases = []
    for scheme in SCHEMES:
        draw = random.Random(f"seqeval {scheme}")
        drawn = [random_case(draw, scheme) for _ in range(CASES_PER_SCHEME)]
        cases += [case(scheme, *tags) for tags in NASTY[scheme] + drawn]
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (Path(__file__).parent / "seqeval.json").write_text(f"[\n{lines}\n]\n")


def random_case(draw: random.Random, scheme: str) -> tuple[list[list[str]], list[list[str]]]:
    """One to three sentences of any tags, and answers that are mostly the same."""
    labels = draw.choice([["A"], ["A", "B"], ["A", "B", "C-D"]])
    outside = draw.choice([0.1, 0.4])

    def tag() -> str:
        return "O" if draw.random() < outside else f"{draw.choice(LETTERS[scheme])}-{draw.choice(labels)}"

    truth = [[tag() for _ in range(draw.randrange(0, 8))] for _ in range(draw.randrange(1, 4))]
    wrong = draw.choice([0.1, 0.3, 0.6])
    answers = [[tag() if draw.random() < wrong else known for known in sentence] for sentence in truth]
    return truth, answers


def case(scheme: str, truth: list[list[str]], answers: list[list[str]]) -> list:
    """The case with what both modes make of it."""
    names = sorted({name for tags in (truth, answers) for name, _, _ in get_entities(tags)})
    default = None
    if scheme != "bilou":
        default = result(names, lambda average: precision_recall_fscore_support(truth, answers, average=average))
    names = unique_labels(truth, answers, SCHEMES[scheme])
    strict = result(names, lambda average: strict_scores(truth, answers, average=average, scheme=SCHEMES[scheme]))
    as_text = [[" ".join(tags) for tags in sentences] for sentences in (truth, answers)]
    return [scheme, *as_text, default, strict]


def result(names: list[str], scores: Callable[[str | None], tuple]) -> dict | None:
    """All averages, and the figures of every label; nothing where there are no spans, of which seqeval has no mean."""
    if not names:
        return None

    def shown(values: tuple) -> list[float]:
        return [round(float(value), 12) for value in values[:3]]

    by_label = zip(*scores(None), strict=True)
    labels = {name: [*shown(values), int(values[3])] for name, values in zip(names, by_label, strict=True)}
    return {"labels": labels} | {average: shown(scores(average)) for average in ("micro", "macro", "weighted")}


if __name__ == "__main__":
    main()
