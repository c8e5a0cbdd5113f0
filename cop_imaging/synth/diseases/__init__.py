"""The sixteen diseases: published rates as tables, and the findings that a case of each shows."""

from cop_imaging.synth.diseases.findings import Findings, draw_findings
from cop_imaging.synth.diseases.knowledge import Knowledge, load_knowledge
from cop_imaging.synth.diseases.rates import Rates, mean_table, rates_from, redrawn_table

__all__ = [
    "Findings",
    "Knowledge",
    "Rates",
    "draw_findings",
    "load_knowledge",
    "mean_table",
    "rates_from",
    "redrawn_table",
]
