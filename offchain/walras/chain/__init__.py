"""The one door to the chain: nothing outside this package imports web3."""
