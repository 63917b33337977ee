"""How the built-in models were made; needs the extra ``train``."""
