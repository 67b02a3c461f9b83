"""`python -m headrace`: the command line."""

from headrace.app.cli import main

if __name__ == "__main__":
    main()
