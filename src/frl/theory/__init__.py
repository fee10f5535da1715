"""The theory lab: what is estimated from cells, judged, drawn and told; the cells themselves are in `cells`."""
