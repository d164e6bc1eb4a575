"""What a page says when a server did not do what it asked."""
