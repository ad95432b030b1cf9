"""JSON Schema of a spec, generated from the typed model and shipped as package data."""
