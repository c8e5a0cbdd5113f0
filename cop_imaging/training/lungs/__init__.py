"""Samples for, and training of, the network that finds the lungs."""
