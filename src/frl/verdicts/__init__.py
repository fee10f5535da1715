"""From curves to verdicts: estimates of what is claimed, and the rules that judge them."""
