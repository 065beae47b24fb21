"""Write the reference cases that Lookback's conditional random field is compared with.

`pytorch-crf` is the judge, in double precision: each file holds parameters, emissions and the path of each row, the
losses, the best paths, the gradients that flow in and the gradients that must come out below. README.md describes the
format.

    python conformance/generate_crf.py                                  the committed cases
    python conformance/generate_crf.py --extra 200 --seed 7 --out DIR   200 random cases into DIR
"""

import json
import random
import zlib
from dataclasses import dataclass

import torch
from generate import HERE, read_options, write_cases
from torchcrf import CRF


def main() -> None:
    """Write the committed files, or random cases when `--extra` asks for them."""
    options = read_options("Write reference cases of conditional random fields made by pytorch-crf.")
    if options.extra is not None:
        write_cases(random_cases(options.extra, options.seed), options.out, run_case)
    else:
        write_cases(committed_cases(), HERE / "cases", run_case)


@dataclass(frozen=True)
class Case:
    """One field and one batch. `pytorch-crf` takes no row of length 0."""

    tags: int
    lengths: tuple[int, ...]
    time: int
    scale: float = 1.0

    def metadata(self) -> str:
        """The JSON object under the metadata key `case`."""
        return json.dumps({"layer": "crf", "tags": self.tags, "lengths": self.lengths})


def committed_cases() -> dict[str, Case]:
    """The cases that stand in the repository, by file name."""
    return {
        "crf_ragged": Case(7, (5, 1, 8, 3), 8),
        "crf_one_tag": Case(1, (3, 2), 3),
        "crf_one_step": Case(4, (1, 1), 1),
        "crf_wide": Case(44, (9, 4), 9),
        "crf_far_apart": Case(6, (7, 7, 2), 7, 15.0),
    }


def random_cases(count: int, seed: int) -> dict[str, Case]:
    """Cases of odd sizes, the same ones for the same seed."""
    draw = random.Random(seed)
    cases = {}
    for index in range(count):
        time = draw.randint(1, 12)
        lengths = tuple(draw.randint(1, time) for _ in range(draw.randint(1, 5)))
        scale = draw.choice((0.3, 1.0, 1.0, 5.0))
        cases[f"crf_extra_{seed}_{index:04}"] = Case(draw.randint(1, 50), lengths, time, scale)
    return cases


def run_case(name: str, case: Case) -> dict[str, torch.Tensor]:
    """Every tensor of one case: parameters, inputs, answers, gradients in, gradients out."""
    # The name is the seed, so that a case added later leaves the bytes of all others alone.
    torch.manual_seed(zlib.crc32(name.encode()))
    field, batch = CRF(case.tags, batch_first=True).double(), len(case.lengths)
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.copy_(torch.randn(parameter.shape) * case.scale)
    # What stands in the padding is random: whoever reads it gets another answer.
    emissions = (torch.randn(batch, case.time, case.tags) * case.scale).double().requires_grad_()
    tags = torch.randint(case.tags, (batch, case.time))
    upstream = torch.randn(batch)
    mask = torch.arange(case.time) < torch.tensor(case.lengths)[:, None]
    losses = -field(emissions, tags, mask, reduction="none")
    losses.backward(upstream.double())
    paths = torch.zeros(batch, case.time)
    for row, path in enumerate(field.decode(emissions, mask)):
        paths[row, : len(path)] = torch.tensor(path)
    given = {f"param.{name}": value.detach() for name, value in field.named_parameters()}
    # Transitions that no path of one step has get none.
    gradients = {name: value.grad if value.grad is not None else 0 * value for name, value in field.named_parameters()}
    gradients = {f"grad.param.{name}": value.detach() for name, value in gradients.items()}
    return given | gradients | {
        "input.emissions": emissions.detach(),
        "input.tags": tags,
        "upstream.losses": upstream,
        "expect.losses": losses.detach(),
        "expect.paths": paths,
        "grad.emissions": emissions.grad,
    }


if __name__ == "__main__":
    main()
