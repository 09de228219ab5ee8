//! Running the program, and what it gave.

use assert_cmd::Command;
use serde_json::Value;

use crate::path;

/// What a run of the program gave.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Runs `command` to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it said, having ended for want of a model.
    pub fn refused(&self) -> &str {
        assert_eq!(self.code, 3, "{}{}", self.out, self.err);
        &self.err
    }

    /// The JSON that it printed, having succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap()
    }

    /// The JSON Lines that it printed.
    pub fn records(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The program, in the folder of the example articles.
pub fn tidings() -> Command {
    let mut command = Command::cargo_bin("tidings").unwrap();
    command.current_dir(path("data")).env_remove("NO_COLOR");
    // No test sees the user's own models, or leaves the machine.
    for name in ["HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT"] {
        command.env_remove(name);
    }
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
        .env("HF_HOME", path("data/no-such-folder"))
        .env("HF_HUB_OFFLINE", "1")
        .env("NO_PROXY", "127.0.0.1,localhost");
    command
}

pub fn run(args: &[&str]) -> Ran {
    run_with(args, b"")
}

/// With `input` on standard input.
pub fn run_with(args: &[&str], input: impl AsRef<[u8]>) -> Ran {
    Ran::of(tidings().args(args).write_stdin(input.as_ref()))
}
