"""One endpoint over HTTP: its settings, calls with retries and limits, connections."""
