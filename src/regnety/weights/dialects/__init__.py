"""What each code base calls the layers of a RegNet; one module a dialect, timm's names are ours."""
