"""Proofs about a spec: properties that hold for every sequence of events and every parameter in its range.

algebra      expressions over symbols, with what is known folded away
symbols      values that are symbols, and the paths on which what is asked of them is decided
values       the value of an expression over symbols, and when it has one
outcome      what a macrostep on symbols begins with and comes to
interpreter  the reference interpreter with symbols for values
execution    every way that an input can go
facts        what may be known between two events: the spec's claims, and guesses
sieve        guesses held to machines that run, before they are tried
smt          expressions as SMT-LIB 2
solvers      questions to Z3 in processes of its own, each with a limit (worker)
induction    which facts hold after every event, and which outcomes are possible then
kinds        what a property is, and the kinds that there are
properties   what is claimed: by the spec (claimed), and of every spec (asked)
search       short sequences of events that break a claim, found by the solver
player       events played in exact fractions by the same execution
refute       a sequence made sure of, shortened, shown
walked       what random walks of the compiled spec have shown
symmetry     that two transitions are each other's mirror image
reads        what a guard depends on, to the end
words        assumptions and advice
proving      the properties of one program, judged, each by what is cheapest first (cone: which regions are one program
             by themselves)
prove        all of it: a spec in, a proof out (result)
widest       how far a parameter may go
certify      a proof as a certificate (certificate: its shape; agreement: what differs from a new proof)
second       the same questions to a second solver (second_worker)
text         what people read
band_limited what is proved of the band-limited hedge: a study
"""
