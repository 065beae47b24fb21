"""Times the same work here and in the peers, taking turns in one run, and prints a table of ratios.

    python bench/compare.py lstm 32 100 128 128
    python bench/compare.py lstm 64 50 300 128 --layers 2 --bidirectional --peers pytorch,burn
    python bench/compare.py gru 16 28 64 32 --lengths uniform:0.25 --json
    python bench/compare.py additive 32 256 --queries 40 --keys 50 --hidden 256 --mode infer
    python bench/compare.py crf 32 50 44 --mode infer
    python bench/compare.py decoder 64 30 256 256 --keys 30
    python bench/compare.py --targets --markdown

Every program reads the same weights and inputs and computes once; only programs that agree with ours are timed. A step
is forward and backward of the summed output, with the gradients of input and weights. A ratio is how many times as fast
ours is. The peers are pinned in bench/peers/requirements.txt.
"""

import argparse
import json
import shlex
import sys

try:
    from comparison import programs, table, turns
    from comparison.targets import ATTENTION_TARGETS, CRF_TARGETS, DECODER_TARGETS, TARGETS
    from comparison.work import ATTENTION, CRF, DECODER, RECURRENT, Work
except ModuleNotFoundError as error:
    raise SystemExit(f"{error}; install what is needed with: pip install -r bench/peers/requirements.txt") from None


def main() -> None:
    options = parse()
    peers = None if options.peers is None else options.peers.split(",")
    if peers and (unknown := sorted(set(peers) - set(programs.NAMES))):
        raise SystemExit(f"there is no peer {', '.join(unknown)}; there are {', '.join(programs.NAMES)}")
    pairs = [(work, programs.choose(work, peers)) for work in chosen(options)]
    pairs = [(work, some) for work, some in pairs if some]
    if not pairs:
        raise SystemExit(f"none of {options.peers or 'the peers'} does this")
    used = list(dict.fromkeys(program for _, some in pairs for program in some))
    programs.build(used)
    busy = turns.warn_if_busy()
    rows, failures = [], []
    for work, some in pairs:
        print(f"{work.describe()}: {', '.join(program.name for program in some)}", file=sys.stderr)
        try:
            rows += compared(work, some, options).rows(busy)
        except SystemExit as failure:
            # In a run of the whole table the other rows still count.
            print(f"{work.describe()}: {failure}", file=sys.stderr)
            failures.append(work)
    if options.markdown and rows:
        command = shlex.join(["python", "bench/compare.py", *sys.argv[1:]])
        print(table.markdown(rows, used, options.threads, command))
    elif rows:
        print(table.text(rows))
    if options.json:
        print(json.dumps(rows))
    if failures:
        raise SystemExit(f"{len(failures)} of {len(pairs)} could not be compared")


def compared(work: Work, some: list[programs.Program], options: argparse.Namespace) -> table.Compared:
    """One piece of work, in every program."""
    timed, flops, ceiling = turns.run(work, some, options.turns, options.seconds)
    ours = [one for one in timed if one.program.peer == "lookback"]
    theirs = [one for one in timed if one.program.peer != "lookback"]
    return table.Compared(work, ours, theirs, flops / ours[0].median_ms / 1e6 / ceiling)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layer", nargs="?", choices=[*RECURRENT, *ATTENTION, CRF, DECODER])
    parser.add_argument("sizes", nargs="*", type=positive, help="recurrent and decoder: B T I H; attention: B I; crf: B T N")
    parser.add_argument(
        "--targets",
        nargs="?",
        const="recurrent",
        choices=["recurrent", "attention", "crf", "decoder"],
        help="a whole table of aims instead of one shape: of the recurrent layers, of attention, of the crf or the decoder",
    )
    parser.add_argument("--mode", choices=["train", "infer", "step"], default="train")
    parser.add_argument("--layers", type=positive)
    parser.add_argument("--bidirectional", action="store_true")
    parser.add_argument("--queries", type=positive)
    parser.add_argument("--keys", type=positive)
    parser.add_argument("--hidden", type=positive, help="the size in which additive attention adds")
    parser.add_argument("--heads", type=positive)
    parser.add_argument("--lengths", type=lengths, default="full", help="full, uniform:SHARE or share:SHARE")
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--peers", help=f"only these: {','.join(programs.NAMES)}")
    parser.add_argument("--turns", type=positive, default=9, help="turns of each program")
    parser.add_argument("--seconds", type=float, default=0.4, help="about how long a turn is")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON in the last line")
    parser.add_argument("--markdown", action="store_true", help="print the table for the README")
    options = parser.parse_args()
    if (options.targets is None) == (options.layer is None):
        parser.error("give a layer and its sizes, or --targets")
    return options


def chosen(options: argparse.Namespace) -> list[Work]:
    """One piece of work, or all of the table."""
    if options.targets is not None:
        table_of = {"recurrent": TARGETS, "attention": ATTENTION_TARGETS, "crf": CRF_TARGETS, "decoder": DECODER_TARGETS}
        return list(dict.fromkeys(target.work for target in table_of[options.targets]))
    names = ["batch", "time", "input", "hidden"] if options.layer in (*RECURRENT, DECODER) else ["batch", "input"]
    names = ["batch", "time", "input"] if options.layer == CRF else names
    if len(options.sizes) != len(names):
        raise SystemExit(f"{options.layer} takes the sizes {' '.join(names)}, but {len(options.sizes)} were given")
    sizes = dict(zip(names, options.sizes))
    if options.hidden is not None:
        if "hidden" in sizes:
            raise SystemExit(f"--hidden does not apply to {options.layer}, whose hidden size is the fourth number")
        if options.layer == CRF:
            raise SystemExit("--hidden does not apply to crf")
        sizes["hidden"] = options.hidden
    if options.layer in RECURRENT:
        wrong = [name for name in ("queries", "keys", "heads") if getattr(options, name) is not None]
    else:
        wrong = [name for name in ("layers", "bidirectional") if getattr(options, name)]
        unknown = {CRF: ("queries", "keys", "heads"), DECODER: ("queries", "heads")}.get(options.layer, ())
        wrong += [name for name in unknown if getattr(options, name) is not None]
    if wrong:
        raise SystemExit(f"--{wrong[0]} does not apply to {options.layer}")
    more = {name: getattr(options, name) for name in ("mode", "layers", "bidirectional", "queries", "keys", "heads")}
    work = Work(options.layer, lengths=options.lengths, threads=options.threads, **more, **sizes)
    return [work.completed()]


def lengths(text: str) -> str:
    kind, _, share = text.partition(":")
    try:
        fits = text == "full" or (kind in ("uniform", "share") and 0 <= float(share) <= 1)
    except ValueError:
        fits = False
    if not fits:
        raise argparse.ArgumentTypeError(f"{text} is not full, uniform:SHARE or share:SHARE with SHARE from 0 to 1")
    return text


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


if __name__ == "__main__":
    main()
