//! Compiles the runtime to WASM when the native one is built with `std`.

fn main() {
    #[cfg(feature = "std")]
    substrate_wasm_builder::WasmBuilder::build_using_defaults();
}
