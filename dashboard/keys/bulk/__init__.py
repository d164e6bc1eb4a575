"""Work on many keys at once: frozen lists of keys, and the jobs that act on them."""
