"""Labelled volumes and phantoms -> a network that reads millimetres directly."""
