"""The native backend: a spec as one compiled loop over an array of events, for sweeps.

    able          which programs have a native form
    text          writes LLVM's assembly language
    slots         where each value of a machine stands in memory
    bounds        what values lie between, so that some checks are needless
    expressions   the expressions of the IR, each with the condition under which it has no value
    blocks        assignments, orders, range checks
    chart         what is selected, and what fires together
    judge         invariants
    books         equity, drawdown, the columns of a trace
    intervals     expressions over several rows at once
    rests         what a row leaves to the next one
    quiet         whether nothing happens at some rows
    ranges        what the rows of a path lie between, block by block
    scan          leaves out rows at which nothing happens
    kernel        the loop: refuse, timers, observe, settle, judge, tally
    relay         machine after machine over the rows, for walks
    origin        what a kernel is made from, which is known before it is written
    object_code   machine code from that text, kept from one process to the next
    machine       a kernel as Python sees it

As in the live backend, whatever is out of the ordinary is given to the reference: the loop returns at the row, with the
machine as it was before it. Failures, refusals, history and leaving a parallel state are such; timers, raised events and
eventless transitions are not.
"""
