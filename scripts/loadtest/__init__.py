"""The instrument behind `scripts/load_test.py`: drives a server with many readers, and tells what came of it."""
