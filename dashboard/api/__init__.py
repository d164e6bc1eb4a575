"""The console's HTTP API for programs: one document, one way in; areas mount routers on it."""
