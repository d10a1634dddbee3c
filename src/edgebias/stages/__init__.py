"""The commands of ``edgebias``: one thin module each, whose function ``run`` is the command."""
