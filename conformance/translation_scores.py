"""Write what sacreBLEU, rouge-score and jiwer make of translations, for Lookback's scores to be compared with.

    python3 -m venv .venv && .venv/bin/pip install sacrebleu==2.6.0 rouge-score==0.1.2 jiwer==4.0.0
    .venv/bin/python conformance/translation_scores.py                        writes conformance/translation_scores.json again
    .venv/bin/python conformance/translation_scores.py --drawn 3000 --out F   as many drawn corpora more, for
    LOOKBACK_SCORES=F cargo test -p lookback-infer peers -- --nocapture       which tells the largest differences

The file is an object. `tokens` has texts with what each tokenizer of sacreBLEU cuts them into, joined by blanks:
`[text, {"13a": .., "zh": .., "char": .., "none": ..}]`. `corpora` has sources as `[hypothesis, [reference, ..]]`, and `scores`: under
`bleu` by tokenizer `[score, [precisions], brevity penalty, length, reference length, signature]`; `chrf`, `chrf++` and `ter` as
`[score, signature]`; `rouge` by its kinds as `[precision, recall, F]`; `wer` and `cer` where every source has one reference.
"""

import argparse
import json
import random
from pathlib import Path

import jiwer
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF, TER

TOKENIZERS = ["13a", "zh", "char", "none"]
ROUGE = ["rouge1", "rouge2", "rougeL"]

# Hypotheses and references of a corpus, written for this file.
CORPORA = [
    [
        ("The cat sat on the mat.", ["The cat sat on the mat.", "A cat was sitting on the mat."]),
        ("He bought 1,200 apples, 3.5 kg each.", ["He has bought 1,200 apples of 3.5 kg.", "He bought 1200 apples - 3.5 kg each!"]),
        ("", ["Nothing was said.", "No one said anything."]),
        ("It's a well-known fact (or so they say).", ["It is a well-known fact, or so they say.", "\"Well known\", they say."]),
    ],
    [
        ("这是一本很好的书。", ["这是一本非常好的书。"]),
        ("请单击“确定”按钮 OK，然后重启。", ["请点击“确定”(OK)按钮，然后重新启动。"]),
        ("今天天气不错，我们去公园吧！", ["今天天气很好，我们去公园吧。"]),
        ("版本 2.0 的价格是 3,500 元", ["2.0 版的价格为 3500 元"]),
    ],
    [("word", ["word"])],
    [("word", ["other"])],
    [("one two", ["one two three"])],
    [("", ["something"])],
    [("a b c d e", ["a b c d e"])],
    [("the the the the the", ["the cat is on the mat", "there is a cat on the mat"])],
    [
        ("w er d", ["w er d"]),
        ("s ow r s", ["s ao r s", "s ow r s"]),
        ("t aa r g ah t", ["t aa r g ih t", "t aa r g ah t", "t aa r g eh t"]),
    ],
    [("d e f g a b c h i", ["a b c d e f g h i"]), ("last week he came home", ["he came home last week"])],
    [("Straße in KÖLN, İstanbul ΣΑΣ", ["STRASSE in Köln, istanbul σας"]), ("naïve café — déjà vu…", ["naive cafe - déjà vu..."])],
    [
        ("police killed the gunman", ["police kill the gunman", "the gunman was shot down by the police"]),
        ("a library for reading compressed files", ["library that reads and writes compressed files quickly"]),
        ("shared files of the web server", ["web server (common files)"]),
    ],
    [("&quot;Tom &amp; Jerry&quot; &lt;3", ["\"Tom & Jerry\" <3"]), ("1990-2000, i.e. ten years", ["1990 - 2000, that is ten years"])],
    [("yes", ["yes", "yeah", "yep"]), ("no", ["no"])],
]

# Texts that mteval's expressions cut in ways of their own.
NASTY = [
    "", " ", "a", ".", ",", "-", "1", "1.", ".1", "1.2", "1,2", "a.b", "a,b", "a.1", "1.a", "1-2", "1-a", "a-1", "--", "1--2", "..", "...",
    "1..2", "1.,2", ",.", "a..", "..a", "3.14.", "$3.50", "3,500,000.00", "&quot;", "&amp;lt;", "&amp;amp;quot;", "&lt;a&gt;", "&;", "<skipped>",
    "a<skipped>b", "<skip<skipped>ped>", "x-\ny", "x\ny", "x\r\ny", "don't", "'tis", "rock 'n' roll", "(a)", "[b]", "{c}", "a/b", "a\\b", "a_b",
    "a^b", "a`b", "a~b", "a|b", "a@b.c", "#1", "50%", "a*b", "a+b", "a=b", "a:b", "a;b", "a?b", "a!b", "\"a\"", "\u00a0a\u00a0", "a\u3000b", "a\tb",
    "a\u001cb", "a\u0085b", "a\u200bb", "e\u0301.1", "1\u0662.3", "中文", "中a文", "中.文", "1.中", "中1.2", "a，b。", "“中”", "—", "…1.5", "𠀀中", "あア", "한글.",
    "ＡＢＣ１", "㈱", "☃.", "€5", "5€", "½.", "²-1", "١-2", "a\u2028b", " lead", "trail ", "\u20001", "\u2fff", "\u9fbc",
]
PIECES = [
    "1", "2", "9", ".", ",", "-", "'", "\"", "&", "&quot;", "&amp;", "&lt;", ";", "(", ")", "/", "%", "$", " ", " ", "  ", "\u00a0", "a", "b",
    "The", "Z", "é", "中", "文", "。", "，", "“", "…", "—", "あ", "𠀀", "\u001f", "\n", "-\n", "<skipped>", "<", ">", "\u2003", "\u0662",
]
WORDS = ["the", "a", "cat", "mat", "on", "sat", "The", "of", "old", "house", "1,200", "3.5", "it's", "(so)", "no.", "yes,", "中文", "书。", "&amp;", "-"]


def main() -> None:
    """Write the committed file, or another with drawn corpora."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--drawn", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "translation_scores.json")
    arguments = parser.parse_args()
    draw = random.Random("translations")
    texts = NASTY + [drawn_text(draw) for _ in range(60 + arguments.drawn)]
    corpora = CORPORA + [drawn_corpus(draw) for _ in range(14 + arguments.drawn)]
    tokens = ",\n".join(written([text, tokenized(text)]) for text in texts)
    scored = ",\n".join(written({"sources": corpus, "scores": scores(corpus)}) for corpus in corpora)
    arguments.out.write_text(f'{{"tokens": [\n{tokens}\n], "corpora": [\n{scored}\n]}}\n')


def written(value: object) -> str:
    """JSON in one line, with nothing but ASCII."""
    return json.dumps(value, separators=(",", ":"))


def drawn_text(draw: random.Random) -> str:
    """A text of pieces that the tokenizers treat in different ways."""
    return "".join(draw.choice(PIECES) for _ in range(draw.randrange(1, 25)))


def drawn_corpus(draw: random.Random) -> list[tuple[str, list[str]]]:
    """A few references of words, and hypotheses made of them by leaving out, replacing and moving."""
    count = draw.choice([1, 1, 2, 3])
    longest = draw.choice([3, 12, 40])

    def reference() -> list[str]:
        return [draw.choice(WORDS) for _ in range(draw.randrange(1, longest))]

    def hypothesis(words: list[str]) -> list[str]:
        words = [draw.choice(WORDS) if draw.random() < 0.15 else word for word in words if draw.random() > 0.1]
        for _ in range(draw.randrange(0, 3)):
            start, end, to = (draw.randrange(0, len(words) + 1) for _ in range(3))
            run = words[start:end]
            rest = words[:start] + words[max(start, end) :]
            words = rest[:to] + run + rest[to:]
        return words if draw.random() > 0.05 else []

    def source() -> tuple[str, list[str]]:
        references = [reference() for _ in range(draw.randrange(1, count + 1) if count == 3 else count)]
        of = hypothesis(draw.choice(references)) if draw.random() > 0.1 else reference()
        return " ".join(of), [" ".join(words) for words in references]

    return [source() for _ in range(draw.randrange(1, 6))]


def tokenized(text: str) -> dict[str, str]:
    """The tokens by tokenizer, as BLEU sees them."""
    return {name: " ".join(BLEU(tokenize=name)._preprocess_segment(text).split()) for name in TOKENIZERS}


def scores(corpus: list[tuple[str, list[str]]]) -> dict:
    """All scores of a corpus."""
    hypotheses = [hypothesis for hypothesis, _ in corpus]
    most = max(len(references) for _, references in corpus)
    streams = [[references[place] if place < len(references) else None for _, references in corpus] for place in range(most)]

    def simple(metric: CHRF | TER) -> list:
        return [rounded(metric.corpus_score(hypotheses, streams).score), str(metric.get_signature())]

    found = {"bleu": {name: bleu(name, hypotheses, streams) for name in TOKENIZERS}}
    found |= {"chrf": simple(CHRF()), "chrf++": simple(CHRF(word_order=2)), "ter": simple(TER()), "rouge": rouge(corpus)}
    if most == 1:
        references = [references[0] for _, references in corpus]
        found |= {"wer": rounded(jiwer.wer(references, hypotheses)), "cer": rounded(jiwer.cer(references, hypotheses))}
    return found


def bleu(name: str, hypotheses: list[str], streams: list[list[str | None]]) -> list:
    """BLEU with its parts."""
    metric = BLEU(tokenize=name, force=True)
    score = metric.corpus_score(hypotheses, streams)
    precisions = [rounded(precision) for precision in score.precisions]
    return [rounded(score.score), precisions, rounded(score.bp), score.sys_len, score.ref_len, str(metric.get_signature())]


def rouge(corpus: list[tuple[str, list[str]]]) -> dict[str, list[float]]:
    """The mean over sources of what the best reference gives."""
    scorer = RougeScorer(ROUGE)
    each = [scorer.score_multi(references, hypothesis) for hypothesis, references in corpus]
    return {kind: [rounded(sum(score[kind][place] for score in each) / len(each)) for place in range(3)] for kind in ROUGE}


def rounded(value: float) -> float:
    """As far as figures are compared."""
    return round(float(value), 8)


if __name__ == "__main__":
    main()
