"""Looking at every server, and what is kept of it."""
