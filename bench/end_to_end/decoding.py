"""Target tokens a second of greedy search and of beams: a translator of Lookback, and its PyTorch twin with the same weights.

    python bench/end_to_end/decoding.py
    python bench/end_to_end/decoding.py --model help.safetensors --sources sources.txt --beams 1,5

Without --model one is trained for a few steps on pairs of drawn words, of the size of the translator in `compare.py`, and may not
end before its last token, so that every text has 30. Lookback answers as its users have it,
`lookback predict` reading lines from a pipe and writing JSON Lines; the twin (recipes/translator_twin.py) gets the same lines in
batches of --batch, as its users write it. Both take turns in one run, with the texts that both find compared.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(BENCH), str(BENCH.parent / "recipes")]

try:
    import numpy as np
    import torch
    from comparison import programs, turns
    from encoder_twin import TokenEncoder
    from safetensors import safe_open
    from translator_twin import BETWEEN, TOKENIZERS, Example, Options, Translator, search
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; install what is needed with: pip install -r bench/peers/requirements.txt") from None

# The translator of bench/end_to_end/compare.py.
WORDS, WIDTH, HIDDEN, LENGTH = 8000, 256, 256, 30
PAIRS, SOURCES = 1067, 64
LOOKBACK = programs.target(programs.REPOSITORY) / "release" / "lookback"

Translate = Callable[[list[str]], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model of `lookback train translate` that the twin can follow")
    parser.add_argument("--sources", type=Path, help="texts, a line each; with --model")
    parser.add_argument("--beams", default="1,5", help="1 is greedy")
    parser.add_argument("--longest", type=int, default=LENGTH, help="tokens that a text has at most")
    parser.add_argument("--batch", type=int, default=SOURCES, help="sources of a batch of the twin")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    if (options.model is None) != (options.sources is None):
        parser.error("--model and --sources go together")
    options.shortest = options.longest if options.model is None else 0
    torch.set_num_threads(options.threads)
    command = ["cargo", "build", "--release", "--quiet", "-p", "lookback", "--manifest-path", str(BENCH.parent / "Cargo.toml")]
    subprocess.run(command, check=True)
    turns.warn_if_busy()
    print("| search | sources at once | PyTorch, tokens a second | Lookback | ratio | texts alike |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        if options.model is None:
            options.model, sources = made(Path(folder), options.threads)
        else:
            sources = options.sources.read_text(encoding="utf-8").splitlines()
        for beam in map(int, options.beams.split(",")):
            for at_once, some in ((options.batch, sources), (1, sources[:8])):
                compare(beam, at_once, some, options)


def compare(beam: int, at_once: int, sources: list[str], options: argparse.Namespace) -> None:
    """One row of the table."""
    theirs = twin(beam, at_once, options)
    with Ours(beam, options) as ours:
        pairs = [(ours.one_by_one if at_once == 1 else ours.translate), theirs]
        answers = [translate(sources) for translate in pairs]
        times: list[list[float]] = [[], []]
        for _ in range(options.turns):
            for place, translate in enumerate(pairs):
                started = time.perf_counter()
                translate(sources)
                times[place].append(time.perf_counter() - started)
        alike = sum(a == b for a, b in zip(*answers, strict=True))
        tokens = ours.tokens(sources)
    ratio = statistics.median(b / a for a, b in zip(*times, strict=True))
    ours_speed, their_speed = (tokens / statistics.median(some) for some in times)
    what = "greedy" if beam == 1 else f"beam of {beam}"
    print(f"| {what} | {at_once} | {their_speed:.0f} | {ours_speed:.0f} | {ratio:.2f} | {alike} of {len(sources)} |", flush=True)


class Ours:
    """`lookback predict`, which waits for lines."""

    def __init__(self, beam: int, options: argparse.Namespace) -> None:
        self.batch = options.batch
        command = [LOOKBACK, "predict", options.model, "--beam", beam, "--threads", options.threads]
        command += ["--max-length", options.longest + 1, "--min-length", options.shortest]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self) -> "Ours":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()

    def answers(self, lines: list[str]) -> list[dict]:
        """Some lines at a time, for both ends would wait for one another once their pipes are full."""
        found = []
        for start in range(0, len(lines), self.batch):
            some = lines[start : start + self.batch]
            self.process.stdin.write("".join(f"{line}\n" for line in some).encode())
            self.process.stdin.flush()
            found += [json.loads(self.process.stdout.readline()) for _ in some]
        return found

    def translate(self, lines: list[str]) -> list[str]:
        return [answer["translation"] for answer in self.answers(lines)]

    def one_by_one(self, lines: list[str]) -> list[str]:
        return [self.translate([line])[0] for line in lines]

    def tokens(self, lines: list[str]) -> int:
        """How many tokens all texts have together, their ends among them."""
        return sum(len(answer["scores"]) for answer in self.answers(lines))


def twin(beam: int, at_once: int, wanted: argparse.Namespace) -> Translate:
    """The twin with the weights and vocabularies of a model file."""
    model, longest = wanted.model, wanted.longest
    with safe_open(model, framework="pt") as file:
        about = {name: json.loads(text) for name, text in file.metadata().items() if text[:1] in "{["}
        weights = {twins_name(name): file.get_tensor(name) for name in file.keys()}
    network, target, texts = about["network"], about["target"], about["encoder"]["text"]
    encoder, decoder = network["encoder"], network["decoder"]
    if (network["ensemble"], network["bridge"], decoder["form"], decoder["tied"]) != (1, "dense", "luong", False):
        raise SystemExit(f"{model}: the twin follows one network with a dense bridge and Luong's decoder, not tied")
    options = Options(
        tokenizer=texts["tokenizer"]["segmentation"],
        lowercase=texts["tokenizer"]["lowercase"],
        target_tokenizer=target["cut"],
        embedding=encoder["embedding"],
        cell=encoder["cell"],
        hidden=encoder["hidden"],
        layers=encoder["layers"],
        decoder_attention=decoder["score"],
        decoder_hidden=decoder["hidden"],
        decoder_layers=decoder["layers"],
    )
    words, target_words = texts["vocabulary"]["tokens"], target["vocabulary"]["tokens"]
    # Packed, for a reverse direction that reads padding first has other states.
    twin = Translator(options, len(words), len(target_words), packed=True).eval()
    twin.load_state_dict(weights)
    reader = TokenEncoder(options, {word: place for place, word in enumerate(words) if place > 1})
    tokenize, between = TOKENIZERS[options.tokenizer], BETWEEN[options.target_tokenizer]

    @torch.inference_mode()
    def translate(lines: list[str]) -> list[str]:
        found = []
        for start in range(0, len(lines), at_once):
            some = [line.lower() if options.lowercase else line for line in lines[start : start + at_once]]
            batch = [Example(reader.encode(tokenize(line)), [], "", [], []) for line in some]
            found += [between.join(target_words[id] for id in ids) for ids in search(twin, batch, beam, longest + 1, wanted.shortest)]
        return found

    return translate


def twins_name(name: str) -> str:
    """Of a parameter of a model file."""
    for ours, theirs in (
        ("decoder.recurrent.", "cell."),
        ("decoder.attention.w_query", "query.weight"),
        ("decoder.attention.bias", "query.bias"),
        ("decoder.attention.w_key", "keys.weight"),
        ("decoder.attention.w", "keys.weight"),
        ("decoder.attention.v", "v"),
        ("decoder.combine.projection.", "combine."),
        ("output_bias", "output.bias"),
    ):
        if name.startswith(ours):
            return name.replace(ours, theirs).removesuffix("_l0")
    return "output.weight" if name == "output" else name


def made(folder: Path, threads: int) -> tuple[Path, list[str]]:
    """A model of the size of the bench's translator that has hardly learnt, and sources for it."""
    draw = np.random.default_rng(0)

    def texts() -> list[str]:
        words = np.concatenate([draw.permutation(WORDS) for _ in range(1 + PAIRS * LENGTH // WORDS)])
        return [" ".join(f"w{word}" for word in words[row * LENGTH : (row + 1) * LENGTH]) for row in range(PAIRS)]

    data, model = folder / "pairs.tsv", folder / "model.safetensors"
    rows = [("source", "target"), *zip(texts(), texts(), strict=True)]
    data.write_text("".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    command = [LOOKBACK, "train", "translate", data, "-o", model, "--threads", threads, "--validation-split", 0, "--epochs", 1]
    command += ["--tokenizer", "words", "--target-tokenizer", "blanks", "--embedding", WIDTH, "--hidden", HIDDEN, "--layers", 2]
    command += ["--decoder-hidden", HIDDEN, "--decoder-layers", 1, "--decoder-attention", "additive", "--batch-size", 64]
    command += ["--max-vocabulary", 2 * WORDS, "--average", "none"]
    run = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(run.stderr)
    return model, texts()[:SOURCES]


if __name__ == "__main__":
    main()
