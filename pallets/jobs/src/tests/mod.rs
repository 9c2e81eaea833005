//! Tests by behaviour.
