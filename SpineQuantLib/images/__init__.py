"""Volumes in and out: reading, checking, orientation, resampling, intensity."""
