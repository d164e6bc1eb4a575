"""Redis patterns for microservices: each atomic, observable and safe under failure."""
