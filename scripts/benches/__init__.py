"""What `scripts/bench.py` measures, a module a question, and the servers that it asks."""
