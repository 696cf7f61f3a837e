"""The tests: unit (pure code), integration (real servers), acceptance (the installed command)."""
