"""Many series: plan, run, resume, collect."""

from cop_imaging.batch.plan import Item, plan_series
from cop_imaging.batch.run import BatchResult, Outcome, run_batch

__all__ = ["BatchResult", "Item", "Outcome", "plan_series", "run_batch"]
