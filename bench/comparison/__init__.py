"""What bench/compare.py is made of: pieces of work, the programs that do them, and turns between the programs."""
