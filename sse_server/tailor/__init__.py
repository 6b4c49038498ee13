"""The wing that tailors a résumé to a posting, with real text processing and without a model if there is none."""
