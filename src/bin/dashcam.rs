//! The program `dashcam`; see [`dashcam::cli`].

fn main() -> std::process::ExitCode {
    dashcam::cli::main()
}
