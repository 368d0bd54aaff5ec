"""The clearer: observe the chain, decide with a pure function, act, remember."""
