"""Cases of the golden vectors: inputs chosen here, outputs from the reference alone."""
