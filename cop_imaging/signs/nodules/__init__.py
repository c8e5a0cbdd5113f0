"""Round opacities up to 10 mm: candidates, their masks and numbers."""
