"""Train this recipe's translator in PyTorch; `../translator_twin.py` says how, `--help` lists the options."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from translator_twin import main

if __name__ == "__main__":
    main(HERE, "valid_rougeL")
