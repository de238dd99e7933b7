"""Metrics, and the baselines that stand beside them."""
