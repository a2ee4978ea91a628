"""Dead letters by reason: looked at, corrected, replayed, discarded."""
