"""JSON Schemas of specs, event scripts and certificates, generated from the typed models and shipped as package data."""
