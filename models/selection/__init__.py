"""Selection under honesty: what the best of many parameter sets is worth, once it is known to be the best of many."""
