"""The theory lab: problems whose optimum and gradient are known exactly, driven by the very servers that train."""
