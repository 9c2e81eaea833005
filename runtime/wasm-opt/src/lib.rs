//! A stand-in for the `wasm-opt` crate as `substrate-wasm-builder` uses it.
//!
//! The real crate compiles Binaryen from C++ (seven minutes on two cores). This one runs a
//! `wasm-opt` found on `PATH`; where there is none it copies the file, which only costs size:
//! every pass asked for either strips debug info or lowers sign extension, and the target
//! `wasm32v1-none` emits no sign-extension instructions in the first place.

use std::{fmt, io, path::Path, process::Command};

/// The passes `substrate-wasm-builder` asks for.
#[derive(Clone, Copy, Debug)]
pub enum Pass {
    StripDwarf,
    SignextLowering,
}

impl Pass {
    fn flag(self) -> &'static str {
        match self {
            Pass::StripDwarf => "--strip-dwarf",
            Pass::SignextLowering => "--signext-lowering",
        }
    }
}

/// Arguments for one run of `wasm-opt`.
#[derive(Clone, Debug, Default)]
pub struct OptimizationOptions {
    mvp: bool,
    debug_info: bool,
    passes: Vec<Pass>,
}

impl OptimizationOptions {
    pub fn new_opt_level_0() -> Self {
        Self::default()
    }

    pub fn mvp_features_only(&mut self) -> &mut Self {
        self.mvp = true;
        self
    }

    pub fn debug_info(&mut self, value: bool) -> &mut Self {
        self.debug_info = value;
        self
    }

    pub fn add_pass(&mut self, pass: Pass) -> &mut Self {
        self.passes.push(pass);
        self
    }

    /// Reads `infile`, writes `outfile`.
    pub fn run(
        &self,
        infile: impl AsRef<Path>,
        outfile: impl AsRef<Path>,
    ) -> Result<(), OptimizationError> {
        let (infile, outfile) = (infile.as_ref(), outfile.as_ref());
        let mut command = Command::new("wasm-opt");
        command.arg("-O0").args(self.passes.iter().map(|pass| pass.flag()));
        if self.mvp {
            command.arg("--mvp-features");
        }
        if self.debug_info {
            command.arg("-g");
        }
        let ran = command.arg(infile).arg("-o").arg(outfile).output();
        match ran {
            Ok(output) if output.status.success() => Ok(()),
            // Absent or too old for the module: the unoptimised file is as correct. Copying a file
            // onto itself would empty it.
            _ if infile == outfile => Ok(()),
            _ => std::fs::copy(infile, outfile).map(drop).map_err(OptimizationError),
        }
    }
}

/// The file could not be read or written.
#[derive(Debug)]
pub struct OptimizationError(io::Error);

impl fmt::Display for OptimizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wasm-opt: {}", self.0)
    }
}

impl std::error::Error for OptimizationError {}
