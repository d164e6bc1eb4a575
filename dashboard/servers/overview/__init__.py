"""The fleet and one server's overview."""
