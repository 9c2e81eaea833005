//! The worker's binary; everything is in the library, where tests can reach it.

fn main() -> std::process::ExitCode {
    chasqui_worker::cli::main()
}
