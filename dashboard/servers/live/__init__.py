"""Live pages: one reader for all who watch, and who may watch."""
