"""Sections of SpineQuant's panel, and the views that they steer.

A folder of its own, because Slicer takes every script beside a module for a module of its own.
"""
