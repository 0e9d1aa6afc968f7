"""`python -m tests.bad_input`: broken files and damaged stores, made at random, and what lrsym says of them."""
