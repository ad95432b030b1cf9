"""Random and coverage-guided walks, with every invariant watched: what does the machine reach, and does a claim break?

events        which events are sent from outside
draws         parameter sets: defaults, edges, between
streams       times and fields in bulk, made to be hard on a hedge
coverage      states, transitions and pairs of transitions that were reached, of those that the chart allows
walk          one walk: from a point, some events by hand, then a stretch of a stream
native, live  run walks: in native code, or on a live machine; both give the same outcomes
corpus        the points that are worth starting from again
explorer      one parameter set: choose walks, run them, keep what was new
exploration   all parameter sets on some workers, the same result whatever their number
findings      the first walk that broke something: found again live, shortened, told
told          the result as text and as JSON
"""
