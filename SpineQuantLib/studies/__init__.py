"""Questions to data: how good, how sure, how many cases; each study writes tables and plots that can be published."""
