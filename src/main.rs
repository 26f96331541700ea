//! The program `tongjie`: parses the command line and hands over; see `tongjie::cli`.

fn main() -> std::process::ExitCode {
    tongjie::cli::main()
}
