//! Vectors in, neighbours out: kernels, exact search and graphs, as pure computation.
