"""Models in the forms that others read: each is run and compared with its source before it is kept."""
