"""Write what SciPy says of the distributions that forecasters answer, for Lookback's to be compared with.

    python3 -m venv .venv && .venv/bin/pip install scipy==1.17.1
    .venv/bin/python conformance/forecast_distributions.py        writes conformance/forecast_distributions.json again

The file is `{"student_t": [case, ..], "negative_binomial": [case, ..]}`. A case is `{"parameters", "costs", "quantiles"}`: the location,
scale and degrees of freedom, or the mean and dispersion; pairs of a value and minus its log likelihood; pairs of a level and its
quantile. Those of counts have `below`, pairs of a count and the probability up to it.
"""

import json
from pathlib import Path

from scipy import stats

LEVELS = [1e-4, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.9999]
STUDENT_T = [(0.0, 1.0, 2.001), (1.5, 0.01, 3.0), (-2.0, 2.5, 5.5), (0.0, 1.0, 30.0), (10.0, 3.0, 400.0), (0.0, 1.0, 1e5)]
NEGATIVE_BINOMIAL = [(0.01, 0.5), (0.7, 3.0), (4.0, 0.001), (12.0, 0.2), (150.0, 1.5), (3000.0, 0.01), (250000.0, 0.0001)]


def main() -> None:
    """Write the committed file."""
    found = {"student_t": [student_t(*case) for case in STUDENT_T]}
    found["negative_binomial"] = [negative_binomial(*case) for case in NEGATIVE_BINOMIAL]
    parts = ",\n".join(
        f'"{name}":[\n' + ",\n".join(json.dumps(case, separators=(",", ":"), allow_nan=False) for case in cases) + "\n]"
        for name, cases in found.items()
    )
    (Path(__file__).parent / "forecast_distributions.json").write_text(f"{{\n{parts}\n}}\n")


def student_t(location: float, scale: float, freedom: float) -> dict:
    """A case of Student's t distribution."""
    own = stats.t(freedom, location, scale)
    values = [location + scale * distance for distance in (-40.0, -3.0, -0.5, 0.0, 0.1, 1.0, 8.0)]
    return {
        "parameters": [location, scale, freedom],
        "costs": [(value, -float(own.logpdf(value))) for value in values],
        "quantiles": [(level, float(own.ppf(level))) for level in LEVELS],
    }


def negative_binomial(mean: float, dispersion: float) -> dict:
    """A case of the negative binomial distribution."""
    own = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    deviation = float(own.std())
    counts = sorted({max(0, round(mean + deviation * distance)) for distance in (-3, -1, -0.5, 0, 0.5, 1, 3, 6)})
    return {
        "parameters": [mean, dispersion],
        "costs": [(count, -float(own.logpmf(count))) for count in counts],
        "below": [(count, float(own.cdf(count))) for count in counts],
        "quantiles": [(level, float(own.ppf(level))) for level in LEVELS],
    }


if __name__ == "__main__":
    main()
