"""The dry run: recorded data in; a trace, a summary and a report out.

`data` → batches of events → `trace` (the machine, row by row) → `summary` (a plain dict) → `page` and
`folder`. Nothing here decides a trade: the machine does, and what it did is counted, split and drawn.
"""
