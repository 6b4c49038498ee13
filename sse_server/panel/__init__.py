"""The wing where a coordinator asks specialists who compute: units, body and energy, dates, food, sums."""
