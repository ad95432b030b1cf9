"""What runs a program: each backend is held to `engine.semantics` by one conformance suite."""
