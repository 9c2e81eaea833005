//! Bounds that both sides keep.

use chasqui_primitives::{trace::TRACE_LEAF_BYTES, MAX_OPENING_BYTES};

/// Longest output of a request, in tokens: the trace of a longer one could not be opened on chain.
pub const MAX_OUTPUT_TOKENS: u32 = MAX_OPENING_BYTES / TRACE_LEAF_BYTES as u32;
/// Longest prompt of a request, in tokens, whatever the checkpoint's context.
pub const MAX_PROMPT_TOKENS: u32 = chasqui_primitives::session::sample::MAX_PROMPT_TOKENS;
