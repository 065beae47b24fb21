"""Train this recipe's language model in PyTorch; `../language_twin.py` says how, `--help` lists the options."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from language_twin import main

if __name__ == "__main__":
    main(HERE)
