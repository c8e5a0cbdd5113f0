"""Density of lung by what lies around it, as several signs share it."""
