# Sourced by every script: one target directory, one set of environment variables, so that the
# demo, the tests and a person's own `cargo build` share every compiled artefact.
CHASQUI_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export CHASQUI_ROOT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/chasqui/target}"
# substrate-wasm-builder looks for Cargo.lock upward from its output folder only.
export WASM_BUILD_WORKSPACE_HINT="$CHASQUI_ROOT"
# Link the system's OpenSSL instead of compiling the vendored one (3 minutes on two cores).
export OPENSSL_NO_VENDOR=1
# A runtime for benchmarks of storage comes with the relay chain's command line: nobody runs it here.
export SKIP_FRAME_STORAGE_ACCESS_TEST_RUNTIME_WASM_BUILD=1
export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
[ -d "$HOME/.cargo/bin" ] && case ":$PATH:" in *":$HOME/.cargo/bin:"*) ;; *) PATH="$HOME/.cargo/bin:$PATH" ;; esac

chasqui_has_target() { # toolchain-aware: does this rustc know the WASM target's core library?
  local lib
  lib="$("$@" --print sysroot 2>/dev/null)/lib/rustlib/wasm32v1-none/lib" || return 1
  compgen -G "$lib/libcore-*.rlib" >/dev/null
}

# Which toolchain compiles the runtime to WASM: rustup's own when it has the target, else Debian's.
if command -v rustup >/dev/null 2>&1; then
  if ! chasqui_has_target rustc && chasqui_has_target /usr/bin/rustc; then
    export WASM_BUILD_TOOLCHAIN=debian
  fi
fi
