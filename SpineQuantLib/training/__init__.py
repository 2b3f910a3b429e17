"""Labelled volumes to weights; phantoms; evaluation."""
