//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_onnx_runtime_quiet();
    almanac::commands::run()
}

/// The published ONNX Runtime reports its use to its makers unless told not to before it is loaded;
/// its API alone comes too late for the first report.
#[expect(clippy::disallowed_methods, reason = "before any thread")]
fn keep_onnx_runtime_quiet() {
    // SAFETY: this is the first thing the process does; no other thread reads the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
}
