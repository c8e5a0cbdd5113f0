"""Shapes around a point and of a component, as several signs share them."""
