"""What `import frl` offers: runs to look at and to compare, and a run of one's own. :mod:`frl` loads it when asked."""
