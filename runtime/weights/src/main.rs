//! Runs the benchmarks of Chasqui's pallets in the WASM runtime and writes their weights.
//!
//! Takes the options of `benchmark pallet` and adds the runtime and its development genesis, so
//! that `scripts/bench weights` only says which pallet goes where.

use chasqui_runtime::WASM_BINARY;
use clap::Parser;
use cumulus_primitives_proof_size_hostfunction::storage_proof_size::HostFunctions;
use frame_benchmarking_cli::PalletCmd;
use sp_runtime::traits::BlakeTwo256;
use std::{ffi::OsString, io::Write};

fn main() -> sc_cli::Result<()> {
    let code = WASM_BINARY.ok_or("this program was built without its WASM runtime")?;
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(code)?;
    let added = [
        "--runtime".into(),
        file.path().as_os_str().to_owned(),
        "--genesis-builder=runtime".into(),
        "--genesis-builder-preset=development".into(),
    ];
    let arguments = std::env::args_os().chain(added);
    PalletCmd::parse_from(arguments.collect::<Vec<OsString>>())
        .run_with_spec::<BlakeTwo256, HostFunctions>(None)
}
