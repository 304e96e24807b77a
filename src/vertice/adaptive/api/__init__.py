"""The Adaptive Immune System over HTTP and WebSocket."""
