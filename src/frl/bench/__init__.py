"""Speed of training beside the limit that physics sets and beside other libraries: ``frl bench``.

Rates are environment steps per CPU second of one thread, measured in turns (one contender after the other, again and
again), and what is judged is the median of the ratios of each turn: a busy machine disturbs both sides alike.
"""
