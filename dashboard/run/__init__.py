"""`make run`: checks first, then every process of the console under one manager."""
