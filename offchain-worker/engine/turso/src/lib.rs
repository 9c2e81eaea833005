//! Empty on purpose. The GPU runtime under burn can keep its tuning results in the `turso` database; no
//! build here turns that on, yet cargo locks optional dependencies too, and the real crate asks for a
//! `tracing-subscriber` that the node's pinned one excludes.
