//! Compiles the runtime, with its benchmarks, to WASM: as the node's is compiled, in release.

use std::path::Path;
use substrate_wasm_builder::WasmBuilder;

fn main() {
    // Without `..` in it, as cargo names the package.
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("lies in the runtime's folder")
        .join("Cargo.toml");
    WasmBuilder::new()
        .with_project(runtime)
        .expect("the runtime has a manifest")
        .enable_feature("runtime-benchmarks")
        .import_memory()
        .export_heap_base()
        .build();
}
