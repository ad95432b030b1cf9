"""Hosts: machines that are journalled, many in one process, and come back exactly.

```
problem      what is wrong with a host, a machine of it or a migration: one error with a code
answers      results of bound functions: kept while a machine runs, read while it is replayed
encoding     an event as the canonical JSON that is journalled, by a function made for it; and back
memory       ids of what has come, as far back as a host promises to know them
lane         what a stop lane is to a host, and what a person can say through it
journalled   one machine: an event in, its records out
machines     all machines of a journal with what waits to be sent, and their state as one value
migration    a state of one program as a state of another one
departure    what leaves a host with a machine, as a value
moving       a machine that leaves, and one that comes
replaying    records to the machines that wrote them, each step held to what stands there
recovery     a journal to its machines: the last state that it proves, and the records after that
given        what somebody gives to a host, as plain values
history      a recorded journal with its specs, or with others: repeated, and the first difference told
taking_up    a journal to a host: machines as they were, under another program, or new
resolving    a future's answer, whatever who waits for it makes of it
waiting      what waits to be journalled: bounded, in the order in which it came
committing   what is asked, done group by group and made durable before it is answered
host         the public face: one committing thread, orders that are durable
rendezvous   which of many hosts a machine begins in, by its name
freight      what goes to a host in another process and comes back, as JSON
shard        one host in another process, as those see it who ask it
shard_process  that process
shard_journals  where the journals of shards are, and whether there are more of them than shards
gathered     what several shards answer to one question
homes        in which shard each machine is, and how it goes to another
shards       many of them, as one
```
"""

from ..journal.problem import need

# Every module below reads or writes a journal: who has not the extra is told so, and not which import failed.
need("journal", "google_crc32c")
