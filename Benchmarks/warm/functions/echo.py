"""A resident function that answers with what stands in its input file; with --fork in a child for each call."""

import sys

import apus_function

apus_function.serve(lambda call: call.text(), fork="--fork" in sys.argv)
