"""The tables of apps. Every query is restricted to a `Scope`: one application of one tenant."""
