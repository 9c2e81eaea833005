//! What anybody may do in a random sequence.

use super::*;

#[derive(Clone, PartialEq, Debug)]
pub enum Op {
    Open(Balance),
    TopUp(usize, Balance),
    Renew(usize),
    Grow(usize, usize, Balance),
    Shrink(usize, usize, Balance),
    /// An operator signs its slice away: what it thinks that it does not need, or anything.
    Consent(usize, usize, Balance),
    ApplyShrink(usize, usize),
    /// The client signs the next request, and it arrives or is lost.
    Ask(usize, usize, Balance, bool),
    /// A hostile client signs a second request for its last place.
    AskTwice(usize, usize, Balance),
    /// The newest receipt arrives, or an old one once more.
    Receipt(usize, usize, usize),
    /// The oldest request that waits lapsed, and its client has it voided.
    Void(usize, usize, bool),
    /// An honest operator shows on chain what a case is about.
    Show(usize),
    Settle(usize, usize),
    /// A hostile operator claims anything.
    Claim(usize, usize, u64, Balance),
    /// Somebody submits a claim without the operator's signature.
    Forge(usize, usize, Balance),
    Equivocation(usize, usize),
    /// A hostile operator signs a second answer, and somebody shows it.
    Fraud(usize, usize),
    Report(usize, usize, usize),
    Verdict(usize, u8),
    Close(usize, bool),
    Expire(usize),
    Electorate(bool),
    /// Whether blocks have room for what happens by itself.
    Room(bool),
    Blocks(u64),
}

pub fn op() -> impl Strategy<Value = Op> {
    let s = || 0..4usize;
    let c = || 0..4usize;
    let amount = || prop_oneof![5 => 0..3_000u128, 1 => Just(Balance::MAX)];
    prop_oneof![
        3 => prop_oneof![Just(999u128), 1_000..20_000u128].prop_map(Op::Open),
        1 => (s(), amount()).prop_map(|(s, a)| Op::TopUp(s, a)),
        2 => s().prop_map(Op::Renew),
        2 => (s(), c(), amount()).prop_map(|(s, c, a)| Op::Grow(s, c, a)),
        2 => (s(), c(), amount()).prop_map(|(s, c, a)| Op::Shrink(s, c, a)),
        1 => (s(), c(), amount()).prop_map(|(s, c, a)| Op::Consent(s, c, a)),
        1 => (s(), c()).prop_map(|(s, c)| Op::ApplyShrink(s, c)),
        14 => (s(), c(), 1..200u128, any::<bool>()).prop_map(|(s, c, a, b)| Op::Ask(s, c, a, b)),
        2 => (s(), c(), 1..200u128).prop_map(|(s, c, a)| Op::AskTwice(s, c, a)),
        10 => (s(), c(), 0..3usize).prop_map(|(s, c, b)| Op::Receipt(s, c, b)),
        2 => (s(), c(), any::<bool>()).prop_map(|(s, c, b)| Op::Void(s, c, b)),
        3 => (0..4usize).prop_map(Op::Show),
        6 => (s(), c()).prop_map(|(s, c)| Op::Settle(s, c)),
        3 => (s(), c(), 0..3u64, amount()).prop_map(|(s, c, n, a)| Op::Claim(s, c, n, a)),
        1 => (s(), c(), amount()).prop_map(|(s, c, a)| Op::Forge(s, c, a)),
        2 => (s(), c()).prop_map(|(s, c)| Op::Equivocation(s, c)),
        1 => (s(), c()).prop_map(|(s, c)| Op::Fraud(s, c)),
        2 => (s(), c(), 0..3usize).prop_map(|(s, c, b)| Op::Report(s, c, b)),
        8 => (0..4usize, 0..4u8).prop_map(|(n, d)| Op::Verdict(n, d)),
        1 => (s(), any::<bool>()).prop_map(|(s, b)| Op::Close(s, b)),
        1 => s().prop_map(Op::Expire),
        1 => prop_oneof![1 => Just(true), 3 => Just(false)].prop_map(Op::Electorate),
        1 => prop_oneof![1 => Just(false), 3 => Just(true)].prop_map(Op::Room),
        8 => (1..8u64).prop_map(Op::Blocks),
    ]
}
