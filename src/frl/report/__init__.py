"""What people read: figures, tables and one page."""
