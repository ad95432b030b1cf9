"""A counterexample made readable: a list of events that breaks something, shortened, shown and written down.

sent         one event: name, time, values
replay       events through the reference, in either arithmetic, or through a live machine
shrink       fewer events, rounder times and values, parameters at their defaults, while it still breaks
table        what each event did, as text
script_text  the events as a script that `hedgerow run --events` replays
"""
