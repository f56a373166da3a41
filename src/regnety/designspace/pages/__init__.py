"""The report on populations: its pictures, its tables, its page."""
