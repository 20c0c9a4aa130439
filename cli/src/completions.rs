//! `completions`: a script that completes commands and options in a shell.

use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;

/// What `completions` is given.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  counterfoil completions bash \\
    > ~/.local/share/bash-completion/completions/counterfoil
  counterfoil completions zsh > \"${fpath[1]}/_counterfoil\"
  counterfoil completions fish > ~/.config/fish/completions/counterfoil.fish";

/// Prints the script.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut command = crate::Cli::command();
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "counterfoil", &mut script);
    Ok(out.write_all(&script)?)
}
