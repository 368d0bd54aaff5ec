"""Tests of Walras, in rooms by kind; a package so that its reference can be imported."""
