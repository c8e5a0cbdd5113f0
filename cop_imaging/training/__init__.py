"""From published tables to the stored model: cohorts, networks, fitting and evaluation (needs torch)."""
