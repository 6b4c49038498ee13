"""The wing that talks to models: chat and its provider."""
