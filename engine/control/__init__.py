"""The stop lane: a person stops, flattens or overrides a machine, whatever its load.

```
problem    what is wrong with a lane or an act: one error with a code, a place and a help line
acts       what a person may do, read and checked; as it stands in the log
terms      what the machine of a lane takes: its events, and the one that flattens
log        the acts of a lane, durable, in a journal of their own; the state that follows from them
flag       the file that both sides see as memory: which act is the last one, which one has had its effect
writer     the one that logs acts and then shows them in the flag; whoever has the log's lock
server     the control process: acts from a Unix socket to the writer
process    the control process, started and found again
client     an act on its way: to the control process, or past a dead one; waits for its effect
lane       what the engine looks at
```

An act is durable in the log before it is seen in the flag, and seen there before it is acknowledged.
"""
