"""Write the reference cases that Lookback's attention is compared with.

PyTorch is the judge: each file holds the weights and inputs of one attention, its context and weights, the gradients
that flow in from above and the gradients that must come out below. README.md describes the format.

    python conformance/generate_attention.py                                     the committed cases
    python conformance/generate_attention.py --extra 200 --seed 7 --output DIR   200 random cases into DIR
"""

import json
import random
import zlib
from dataclasses import dataclass, replace

import torch
from generate import HERE, read_options, write_cases
from torch.func import functional_call

SCORES = ("additive", "dot", "scaled_dot", "general", "concat", "multi_head")

# The layer under test may miss by 1e-5 of the largest value; PyTorch in single precision must stay well inside that.
SINGLE_PRECISION = 2e-6


def main() -> None:
    """Write the committed files, or random cases when `--extra` asks for them."""
    options = read_options("Write reference cases of attention made by PyTorch.")
    if options.extra is not None:
        write_cases(random_cases(options.extra, options.seed), options.out, run_case)
    else:
        write_cases(committed_cases(), HERE / "cases", run_case)


@dataclass(frozen=True)
class Case:
    """One attention and one batch. Every mask that is given holds at once."""

    score: str
    heads: int | None = None
    bias: bool = True
    batch: int = 3
    queries: int = 4
    keys: int = 7
    query: int = 5
    key: int = 7
    value: int = 3
    hidden: int = 6
    key_lengths: tuple[int, ...] | None = None
    causal: bool = False
    # "shared" is one mask [Q, K] for the whole batch, "each" is [B, Q, K].
    boolean: str | None = None
    # Rows of the boolean mask, counted through the batch, that are all false.
    empty: tuple[int, ...] = ()
    upstream: tuple[str, ...] = ("context",)
    scale: float = 1.0

    def metadata(self) -> str:
        """The JSON object under the metadata key `case`; of several masks, `mask` names the first it can."""
        given = {"boolean": self.boolean, "lengths": self.key_lengths, "causal": self.causal}
        about = {
            "layer": "attention",
            "score": self.score,
            "heads": self.heads,
            "mask": next((name for name, mask in given.items() if mask), "none"),
            "key_lengths": self.key_lengths,
            "causal": self.causal,
        }
        return json.dumps(about)

    def module(self) -> torch.nn.MultiheadAttention:
        """PyTorch's multi-head attention; the query's width is the embedding's."""
        sizes = {"embed_dim": self.query, "num_heads": self.heads, "kdim": self.key, "vdim": self.value}
        return torch.nn.MultiheadAttention(**sizes, bias=self.bias, batch_first=True)

    def parameters(self) -> dict[str, torch.Tensor]:
        """The score's weights, drawn so that the scores stay about as large as the inputs."""
        if self.score == "multi_head":
            drawn = {name: value.detach().clone() for name, value in self.module().named_parameters()}
            # PyTorch starts its biases at zero, where nobody would notice that one is left out.
            return {name: torch.randn_like(value) * 0.5 if "bias" in name else value for name, value in drawn.items()}
        shapes = {
            "additive": {
                "w_query": (self.hidden, self.query),
                "w_key": (self.hidden, self.key),
                "bias": (self.hidden,),
                "v": (self.hidden,),
            },
            "general": {"w": (self.query, self.key)},
            "concat": {"w": (self.hidden, self.query + self.key), "v": (self.hidden,)},
        }
        drawn = {name: torch.randn(shape) for name, shape in shapes.get(self.score, {}).items()}
        return {name: value / value.shape[-1] ** 0.5 if value.dim() == 2 else value for name, value in drawn.items()}

    def boolean_mask(self) -> torch.Tensor | None:
        """`input.mask`: every row but the empty ones attends to a key or more."""
        if self.boolean is None:
            return None
        shape = (self.queries, self.keys) if self.boolean == "shared" else (self.batch, self.queries, self.keys)
        mask = torch.rand(shape) < 0.6
        rows = mask.view(-1, self.keys)
        rows[torch.arange(len(rows)), torch.randint(self.keys, (len(rows),))] = True
        rows[list(self.empty)] = False
        return mask

    def allowed(self, boolean: torch.Tensor | None) -> torch.Tensor:
        """All masks in one, [B, Q, K]; true means attend."""
        allowed = torch.ones(self.batch, self.queries, self.keys, dtype=torch.bool)
        if self.key_lengths is not None:
            allowed &= torch.arange(self.keys) < torch.tensor(self.key_lengths).view(-1, 1, 1)
        if self.causal:
            # Query q attends to keys k <= q, both counted from the start, as `is_causal` does in PyTorch.
            allowed = allowed.tril()
        return allowed if boolean is None else allowed & boolean


def committed_cases() -> dict[str, Case]:
    """The cases that stand in the repository, by file name."""
    both = ("context", "weights")
    cases = {}
    for score in ("additive", "dot", "scaled_dot", "general", "concat"):
        plain = Case(score, query=7 if "dot" in score else 5)
        # The two forms of mask and of upstream gradient take turns, so that each meets every kind of score.
        first = score in ("additive", "scaled_dot", "concat")
        ragged = replace(plain, batch=4, queries=3, upstream=both if first else ("context",))
        cases |= {
            f"{score}_none": replace(plain, queries=3, upstream=both),
            f"{score}_one_query": replace(plain, batch=2, queries=1, keys=9),
            f"{score}_lengths": replace(ragged, key_lengths=(4, 7, 1, 6)),
            f"{score}_causal": replace(plain, causal=True, queries=5 if first else 7, keys=8 if first else 5),
            f"{score}_boolean": replace(plain, boolean="each" if first else "shared", upstream=both),
            f"{score}_empty_lengths": replace(ragged, key_lengths=(7, 0, 1, 5)),
            f"{score}_empty_boolean": (
                replace(plain, boolean="shared", empty=(2,))
                if first
                else replace(plain, boolean="each", empty=(0, 6, 8, 9, 10, 11), upstream=both)
            ),
        }
    heads = Case("multi_head", heads=2, query=8, key=8, value=8)
    sizes = replace(heads, key=5, value=7)
    cases |= {
        "multi_head_1_none": replace(heads, heads=1, query=5, key=5, value=5, upstream=both),
        "multi_head_2_lengths": replace(heads, batch=4, queries=3, key_lengths=(4, 7, 1, 6), upstream=both),
        "multi_head_4_causal": replace(heads, heads=4, queries=6, keys=6, causal=True),
        "multi_head_2_boolean": replace(heads, boolean="each", query=6, key=6, value=6, upstream=both),
        "multi_head_4_boolean_shared": replace(heads, heads=4, boolean="shared"),
        "multi_head_2_one_query": replace(heads, batch=2, queries=1, keys=9, upstream=both),
        "multi_head_1_no_bias": replace(heads, heads=1, query=7, key=7, value=7, bias=False, key_lengths=(7, 3, 1)),
        "multi_head_2_sizes": replace(sizes, upstream=both),
        "multi_head_4_sizes_no_bias": replace(sizes, heads=4, bias=False, key_lengths=(2, 7, 4), upstream=both),
        "multi_head_2_value_size": replace(heads, query=6, key=6, value=9, causal=True),
        "multi_head_2_empty_lengths": replace(heads, key_lengths=(5, 0, 7), upstream=both),
        "multi_head_1_empty_boolean": replace(
            heads, heads=1, query=5, key=5, value=5, boolean="each", empty=(1, 8, 9, 10, 11)
        ),
        "multi_head_4_empty_sizes_no_bias": replace(sizes, heads=4, bias=False, boolean="shared", empty=(0, 3)),
    }
    for plain in (Case("additive"), Case("scaled_dot", query=7), sizes):
        # Some rows are empty only because no key is left by all three masks.
        cases[f"{plain.score}_all_masks"] = replace(
            plain, batch=4, queries=6, key_lengths=(7, 2, 0, 4), causal=True, boolean="each", empty=(4,), upstream=both
        )
        one = {"batch": 1, "query": 1, "key": 1, "value": 1, "hidden": 1}
        cases[f"{plain.score}_sizes_1"] = replace(plain, **one, queries=2, keys=3, heads=1 if plain.heads else None)
    # Hidden units far out on `tanh` show an approximation that loses its tail.
    cases["additive_large"] = Case("additive", scale=30.0, upstream=both)
    cases["concat_large"] = Case("concat", scale=30.0)
    # Queries that are sure of one key: their gradients are what is left of terms that almost cancel.
    for plain in (Case("dot", query=7), Case("scaled_dot", query=7), Case("general"), heads):
        cases[f"{plain.score}_sure"] = replace(plain, batch=4, queries=6, scale=6.0)
    cases["scaled_dot_sure_of_many"] = replace(Case("scaled_dot", query=7), batch=1, keys=300, scale=6.0)
    return {f"attention_{name}": case for name, case in cases.items()}


def random_cases(count: int, seed: int) -> dict[str, Case]:
    """Cases of every score, mask and odd size, the same ones for the same seed."""
    draw = random.Random(seed)
    cases = {}
    for index in range(count):
        score = draw.choice(SCORES)
        batch, queries, keys = draw.randint(1, 5), draw.randint(1, 9), draw.randint(1, 12)
        query, key, value = draw.randint(1, 12), draw.randint(1, 12), draw.randint(1, 12)
        heads = draw.choice((1, 2, 3, 4)) if score == "multi_head" else None
        if heads:
            query = heads * draw.randint(1, 12 // heads)
            # Half of them have one size, where PyTorch keeps its three projections in one matrix.
            key, value = (query, query) if draw.random() < 0.5 else (key, value)
        elif "dot" in score:
            query = key
        boolean = draw.choice(("shared", "each")) if draw.random() < 0.4 else None
        rows = queries if boolean == "shared" else batch * queries
        lengths = tuple(draw.randint(0, keys) for _ in range(batch)) if draw.random() < 0.5 else None
        cases[f"attention_extra_{seed}_{index:04}_{score}"] = Case(
            score,
            heads=heads,
            bias=draw.random() < 0.7,
            batch=batch,
            queries=queries,
            keys=keys,
            query=query,
            key=key,
            value=value,
            hidden=draw.randint(1, 12),
            key_lengths=lengths,
            causal=draw.random() < 0.3,
            boolean=boolean,
            empty=tuple(row for row in range(rows) if draw.random() < 0.15) if boolean else (),
            upstream=("context", "weights") if draw.random() < 0.5 else ("context",),
            # Smaller ones make additive scores linear, where the gradients of a query cancel to rounding.
            scale=draw.choice((0.5, 1.0, 1.0, 3.0)),
        )
    return cases


def run_case(name: str, case: Case) -> dict[str, torch.Tensor]:
    """Every tensor of one case: weights, inputs, answers, gradients in, gradients out."""
    # A softmax that one key wins leaves gradients that are differences of nearly equal numbers. A draw that PyTorch's
    # own single precision cannot follow would prove nothing about the layer under test, so another one is made.
    for attempt in range(100):
        # The name is the seed, so that a case added later leaves the bytes of all others alone.
        torch.manual_seed(zlib.crc32(f"{name} {attempt}".encode()))
        given = draw_tensors(case)
        answers = answer(case, given, torch.float64)
        if drift(answer(case, given, torch.float32), answers) <= SINGLE_PRECISION:
            return given | answers
    raise SystemExit(f"{name} is ill-conditioned: single precision follows none of 100 draws")


def draw_tensors(case: Case) -> dict[str, torch.Tensor]:
    """What the layer under test is given, in single precision."""
    # Keys and values that a mask hides hold random numbers, not zeros: whoever reads them gets another answer.
    tensors = {f"param.{name}": value for name, value in case.parameters().items()}
    tensors["input.query"] = torch.randn(case.batch, case.queries, case.query) * case.scale
    tensors["input.keys"] = torch.randn(case.batch, case.keys, case.key) * case.scale
    tensors["input.values"] = torch.randn(case.batch, case.keys, case.value)
    mask = case.boolean_mask()
    if mask is not None:
        tensors["input.mask"] = mask
    # The gradient that flows in is random at masked keys and empty rows too, where it counts for nothing: only the bias
    # of multi-head attention's last projection sees that of an empty row's context.
    widths = {"context": case.query if case.score == "multi_head" else case.value, "weights": case.keys}
    return tensors | {f"upstream.{name}": torch.randn(case.batch, case.queries, widths[name]) for name in case.upstream}


def answer(case: Case, given: dict[str, torch.Tensor], precision: torch.dtype) -> dict[str, torch.Tensor]:
    """PyTorch's context, weights and gradients, computed in one precision."""
    leaves = {
        name: value.to(precision).requires_grad_()
        for name, value in given.items()
        if name.startswith(("param.", "input.")) and name != "input.mask"
    }
    outputs = attend(case, leaves, case.allowed(given.get("input.mask")))
    upstream = [given[f"upstream.{name}"].to(precision) for name in case.upstream]
    torch.autograd.backward([outputs[name] for name in case.upstream], upstream)
    expected = {f"expect.{name}": value.detach() for name, value in outputs.items()}
    return expected | {f"grad.{name.removeprefix('input.')}": leaf.grad for name, leaf in leaves.items()}


def attend(case: Case, leaves: dict[str, torch.Tensor], allowed: torch.Tensor) -> dict[str, torch.Tensor]:
    """Context and weights; a row that may attend to nothing gets zeros, where PyTorch alone gives NaN."""
    query, keys, values = (leaves[f"input.{name}"] for name in ("query", "keys", "values"))
    parameters = {name.removeprefix("param."): leaf for name, leaf in leaves.items() if name.startswith("param.")}
    # Empty rows are opened for PyTorch, which touches no other row, and what comes of them is thrown away: neither the
    # answers nor the gradients see it.
    attends = allowed.any(-1, keepdim=True)
    opened = allowed | ~attends
    zero = torch.zeros((), dtype=query.dtype)
    if case.score == "multi_head":
        # PyTorch's mask is true where a query must not look, and has one row for each head.
        mask = {"attn_mask": ~opened.repeat_interleave(case.heads, 0)}
        context, weights = functional_call(case.module(), parameters, (query, keys, values), mask)
        # The zero context of an empty row still passes through the last projection.
        empty = parameters.get("out_proj.bias", zero)
    else:
        scores = compare(case.score, parameters, query, keys)
        weights = scores.masked_fill(~opened, -torch.inf).softmax(-1)
        context = weights @ values
        empty = zero
    return {"context": torch.where(attends, context, empty), "weights": torch.where(attends, weights, zero)}


def compare(score: str, parameters: dict[str, torch.Tensor], query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """The scores [B, Q, K] of every query with every key, as the papers write them."""
    if score == "additive":
        # Bahdanau 2015, appendix A.1.2.
        from_query, from_key = query @ parameters["w_query"].T, keys @ parameters["w_key"].T
        return (from_query.unsqueeze(2) + from_key.unsqueeze(1) + parameters["bias"]).tanh() @ parameters["v"]
    if score == "concat":
        # Luong 2015, eq. 8, concat.
        queries, count = query.shape[1], keys.shape[1]
        pairs = [query.unsqueeze(2).expand(-1, -1, count, -1), keys.unsqueeze(1).expand(-1, queries, -1, -1)]
        return (torch.cat(pairs, -1) @ parameters["w"].T).tanh() @ parameters["v"]
    if score == "general":
        # Luong 2015, eq. 8, general.
        return query @ parameters["w"] @ keys.mT
    products = query @ keys.mT
    # Luong 2015, eq. 8, dot; Vaswani 2017, eq. 1.
    return products / keys.shape[-1] ** 0.5 if score == "scaled_dot" else products


def drift(single: dict[str, torch.Tensor], double: dict[str, torch.Tensor]) -> float:
    """The largest difference of any tensor, relative to its largest absolute value."""
    worst = 0.0
    for name, want in double.items():
        largest = want.abs().max().item() or 1.0
        worst = max(worst, (single[name] - want).abs().max().item() / largest)
    return worst


if __name__ == "__main__":
    main()
