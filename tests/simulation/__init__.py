"""A world in one process and one thread: a clock, a disk, a bus, people, a venue and a host, all from one seed.

```
chance     one seed, and a stream of draws for every part by its name
clock      virtual time, and what is to be done in it
trace      what has happened, counted, hashed and told
specs      the machines that the host of a world runs
disk       files that lie: a VFS for SQLite with a cache, a platter, and faults
bus        messages that are late, lost, doubled and out of order
sender     who says something again until it is acknowledged
lane       what people say, and the stop lane that the host looks at
venue      orders, each taken once, and what becomes of them
desk       a process: it opens the host, asks it, sends its orders, dies, and comes back
auditor    what was promised, held to what is there
world      all of it, for so many hours
faults     bugs, one for each promise, which a world must find
```
"""
