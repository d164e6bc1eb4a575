"""Pages about people: signing in, one's own account, users, teams."""
