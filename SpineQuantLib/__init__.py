"""SpineQuant: spine MRI turned into measurements that can be trusted and corrected."""

__version__ = "0.1.0"
