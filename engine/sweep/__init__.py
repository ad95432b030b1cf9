"""One spec over one path of events, for many parameter sets."""
