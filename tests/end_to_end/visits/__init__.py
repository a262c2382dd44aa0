"""A project whose views read and write, to be frozen while its server does what servers do."""
