"""The cache folder, files that are whole or absent whenever the process is killed, locks, and room on the disk."""
