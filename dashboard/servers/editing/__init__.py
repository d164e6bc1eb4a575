"""Adding, checking, changing and forgetting servers, and who may do what on them."""
