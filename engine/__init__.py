"""From the text of a spec to a checked machine: source, model, check, IR, semantics, backends."""
