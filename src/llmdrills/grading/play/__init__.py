"""A small decoder whose parts are the kernels of katas: a learner's own, the references, or a slip."""
