"""Judge a trained model as `peers.py` judges Phonetisaurus: the share of words of which no listed pronunciation is answered, and of
which none of the 10 best is listed.

    python recipes/g2p/best.py target/release/lookback MODEL [--part valid] [--beam 10]
"""

import argparse
import json
import subprocess
import time

from peers import HERE, pairs


def main() -> None:
    """Answer, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--part", default="valid", choices=["valid", "test"])
    parser.add_argument("--beam", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    said = parser.parse_args()
    words = pairs(HERE / "data" / f"{said.part}.tsv")
    lines = "".join(f"{word}\n" for word in words)
    command = [said.program, "predict", said.model, "--beam", str(said.beam), "--threads", str(said.threads)]
    # The best of them stands among the alternatives as well.
    command += ["--n-best", str(said.beam)] if said.beam > 1 else []
    started = time.perf_counter()
    answered = subprocess.run(command, check=True, input=lines, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - started
    best = ten = 0
    for (_, listed), line in zip(words.items(), answered.splitlines(), strict=True):
        answer = json.loads(line)
        texts = [answer["translation"], *(other["translation"] for other in answer.get("alternatives", []))]
        best += texts[0] in listed
        ten += any(text in listed for text in texts[:10])
    count = len(words)
    print(f"{count} words: {100 * (1 - best / count):.2f} % wrong", end="")
    print(f"; none of the {min(said.beam, 10)} best right: {100 * (1 - ten / count):.2f} %" if said.beam > 1 else "", end="")
    print(f"; answered in {seconds:.0f} s")


if __name__ == "__main__":
    main()
