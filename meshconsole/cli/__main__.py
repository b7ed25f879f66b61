"""`python -m meshconsole.cli` is `meshconsole`."""

from meshconsole.cli import main

main()
