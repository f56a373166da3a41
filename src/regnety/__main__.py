"""`python -m regnety` is the command `regnety`."""

from regnety.cli.main import main

if __name__ == "__main__":
    main()
