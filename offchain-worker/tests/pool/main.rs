//! The pool of sessions that a gateway keeps, against a chain that is slow, refuses, and does not always say so.

mod chain;
mod choosing;
mod invariants;
mod keeping;
