"""The child process that runs the engine: request, events, result, cancel."""
