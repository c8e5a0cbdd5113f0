"""Rings of dense lung: candidates, their measures, and what each is."""
