"""One short file an algorithm; `base` is the contract. The names are registered in :data:`frl.spec.SERVERS`."""
