"""Films of a policy at play, and the report's section that shows them."""
