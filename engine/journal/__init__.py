"""The journal: what happened to a machine, in records that are chained, so that no later hand changes one unseen.

```
problem       what is wrong with a journal, a key or a value: one error with a code, a place and a help line
canonical     values as the one JSON text that they have
kinds         what is journalled, and what each kind of record holds
records       a record in bytes: header, payload, the hash that chains it to the one before; groups of them
merkle        the tree over the records between two checkpoints (RFC 6962)
keys          Ed25519: who signs checkpoints
checkpoints   what a checkpoint says and what is signed of it
store         where groups are kept: the protocol; memory, sqlite and postgres implement it
opening       a store by its place: a path or a URL
chain         groups to checked records; the first that is not as it was written, found and named
journal       the one writer: append, commit, checkpoint
verify        all of a journal, with its checkpoints and what somebody expects of it
proof         one record and its checkpoint, for somebody who has nothing else
lines         records as JSON lines and as lines for people
```
"""
