"""edgebias: does moving a language model to the edge change its social bias, and can that be undone?"""

__version__ = "0.1.0"
