//! What is measured, as a process that does what it is asked, one JSON value a line in and one out.
//!
//! ```text
//! → {"setup":{"model":"stance-en-small","engine":"native","threads":2,"batch_tokens":2048,"length":null},"articles":40,"windows":null}
//! ← {"ready":{"name":"stance-en-small@9b5c08108510","load":0.041,…}}
//! → "whole"
//! ← {"whole":{"seconds":0.512,"cpu":1.01,"others":0.02}}
//! → "stages"
//! ← {"stages":{"tokenise":0.08,"encode":0.44}}
//! ```
//!
//! Tidings itself is measured so, and so is every peer that speaks these lines (`benches/peers/`): what is known of one is known of
//! all, and they can take turns. A subject waits without using a processor, and ends when its input does. To what it cannot do it
//! answers `"none"`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine::{Timed, peak_memory};
use super::roofline::{Peaks, Work};
use super::worker::{Size, Stages, Worker};
use crate::error::{Error, Result};

/// What a subject is to be, one cell of a grid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Model as named on the command line; of a peer, its command.
    pub model: String,
    /// Engine.
    pub engine: String,
    /// Computing threads.
    pub threads: usize,
    /// Tokens in the encoder at once; 0: as many as suit the device.
    pub batch_tokens: usize,
    /// Tokens of every article; `None`: as long as they are.
    pub length: Option<usize>,
}

/// The first line that a subject hears.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// What to be.
    pub setup: Setup,
    /// Articles of a pass.
    pub articles: usize,
    /// Token ids of every window of a pass, with the length of the claim's segment, for a peer that reads no texts.
    pub windows: Option<Vec<(Vec<u32>, usize)>>,
}

/// What a subject says of itself when it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Name, with version or checksum.
    pub name: String,
    /// SHA-256 of the weights.
    #[serde(default)]
    pub sha256: Option<String>,
    /// SHA-256 of the texts.
    #[serde(default)]
    pub texts: Option<String>,
    /// The GPU that it computes on, and in what numbers.
    #[serde(default)]
    pub gpu: Option<String>,
    /// Tokens in its encoder at once.
    #[serde(default)]
    pub batch_tokens: Option<usize>,
    /// Seconds that loading took.
    pub load: f64,
    /// What a pass reads.
    pub size: Size,
    /// What a pass computes at least.
    #[serde(default)]
    pub work: Option<Work>,
}

/// What a subject can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// A pass as a whole.
    Whole,
    /// A pass stage by stage.
    Stages,
    /// Some articles one at a time: from which, and how many.
    Latency(usize, usize),
    /// The most memory so far, in bytes.
    Memory,
    /// What this machine computes and moves at best.
    Peaks,
    /// The windows of a pass.
    Windows,
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It is loaded.
    Ready(Ready),
    /// To [`Request::Whole`].
    Whole(Timed),
    /// To [`Request::Stages`].
    Stages(Stages),
    /// To [`Request::Latency`], in seconds.
    Latency(Vec<f64>),
    /// To [`Request::Memory`], in bytes.
    Memory(u64),
    /// To [`Request::Peaks`].
    Peaks(Peaks),
    /// To [`Request::Windows`].
    Windows(Vec<(Vec<u32>, usize)>),
    /// It does not do that.
    None,
    /// It cannot go on.
    Failed {
        /// Whether the request was at fault, not the model.
        usage: bool,
        /// What went wrong and what to do.
        message: String,
    },
}

/// Something that can be measured.
pub trait Subject {
    /// Asks it.
    ///
    /// # Errors
    /// What the subject fails with; [`Error::Model`] when it has ended or does not keep to the protocol.
    fn ask(&mut self, request: Request) -> Result<Reply>;
}

/// A subject in a process of its own, which ends with it.
pub struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    name: String,
}

impl Process {
    /// Starts `command`, told `start`; it is loaded when this returns.
    ///
    /// # Errors
    /// As [`Subject::ask`]; [`Error::Usage`] when the command cannot be started.
    pub fn start(mut command: Command, start: &Start) -> Result<(Self, Ready)> {
        let name = command.get_program().to_string_lossy().into_owned();
        let cannot = |what: String| Error::Usage(format!("cannot start `{name}`: {what}"));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| cannot(e.to_string()))?;
        let input = child.stdin.take();
        let output = child
            .stdout
            .take()
            .ok_or_else(|| cannot("no output".to_owned()))?;
        let output = BufReader::new(output);
        let mut process = Self {
            child,
            input,
            output,
            name,
        };
        match process.say(start)? {
            Reply::Ready(ready) => Ok((process, ready)),
            other => Err(process.lost(&format!("it answered {other:?} where it should be ready"))),
        }
    }

    fn say(&mut self, line: &impl Serialize) -> Result<Reply> {
        let mut said = serde_json::to_vec(line).map_err(|e| self.lost(&e.to_string()))?;
        said.push(b'\n');
        // A broken pipe shows in the answer too, which may say why.
        let sent = self.input.as_mut().map(|input| input.write_all(&said));
        let mut answer = String::new();
        let read = self.output.read_line(&mut answer);
        match (read, sent) {
            (Ok(1..), _) => {}
            (Err(e), _) | (_, Some(Err(e))) => return Err(self.lost(&e.to_string())),
            _ => return Err(self.lost("it said nothing")),
        }
        match serde_json::from_str(&answer) {
            Ok(Reply::Failed { usage, message }) => Err(match usage {
                true => Error::Usage(message),
                false => Error::Model(message),
            }),
            Ok(reply) => Ok(reply),
            Err(e) => Err(self.lost(&format!("it answered {:?} ({e})", answer.trim_end()))),
        }
    }

    fn lost(&self, what: &str) -> Error {
        Error::Model(format!(
            "the measured program `{}` broke off: {what}",
            self.name
        ))
    }
}

impl Subject for Process {
    fn ask(&mut self, request: Request) -> Result<Reply> {
        self.say(&request)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its input ends, and so does it; should it not, it is ended.
        self.input = None;
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The other end: answers `requests` by `worker` into `replies` until they end.
///
/// # Errors
/// [`Error::Output`] when nobody hears the replies.
pub fn serve(
    worker: &Worker,
    ready: Ready,
    requests: impl BufRead,
    replies: &mut impl Write,
) -> Result<()> {
    answer(replies, &Reply::Ready(ready))?;
    let threads = worker.threads();
    for line in requests.lines() {
        let line = line.map_err(Error::Output)?;
        let reply = match serde_json::from_str(&line) {
            Ok(Request::Whole) => worker.whole().map(Reply::Whole),
            Ok(Request::Stages) => worker.stages().map(Reply::Stages),
            Ok(Request::Latency(first, count)) => worker.latency(first, count).map(Reply::Latency),
            Ok(Request::Memory) => Ok(peak_memory().map_or(Reply::None, Reply::Memory)),
            Ok(Request::Peaks) => worker.model().peaks().map(|gpu| {
                Reply::Peaks(gpu.map_or_else(|| Peaks::measure(threads), Peaks::of_gpu))
            }),
            Ok(Request::Windows) => Ok(Reply::Windows(worker.windows())),
            Err(e) => Err(Error::Usage(format!("no request: {line} ({e})"))),
        };
        answer(replies, &reply.unwrap_or_else(|e| failed(&e)))?;
    }
    Ok(())
}

/// The reply that stands for `error`.
pub fn failed(error: &Error) -> Reply {
    Reply::Failed {
        usage: matches!(error, Error::Usage(_)),
        message: error.to_string(),
    }
}

/// Writes one reply.
///
/// # Errors
/// [`Error::Output`].
pub fn answer(out: &mut impl Write, reply: &Reply) -> Result<()> {
    serde_json::to_writer(&mut *out, reply)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(Error::Output)
}

/// Seconds from the start of `command`, given `input`, to the first byte of its output. The process is then ended.
///
/// # Errors
/// [`Error::Model`] when there is no output.
pub fn first_record(mut command: Command, input: &[u8]) -> Result<f64> {
    let lost = |what: &str| Error::Model(format!("no first record came: {what}"));
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| lost(&e.to_string()))?;
    // One article is less than what a pipe holds, so that this does not wait.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input).map_err(|e| lost(&e.to_string()))?;
    }
    let mut line = String::new();
    let output = child.stdout.take().ok_or_else(|| lost("no output"))?;
    let read = BufReader::new(output).read_line(&mut line);
    let seconds = begun.elapsed().as_secs_f64();
    child.wait().ok();
    match read {
        Ok(1..) if line.contains("\"stance\"") => Ok(seconds),
        Ok(_) => Err(lost(line.trim_end())),
        Err(e) => Err(lost(&e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_protocol_is_what_the_docs_show() {
        let text = |value: &Request| serde_json::to_string(value).unwrap();
        assert_eq!(text(&Request::Whole), r#""whole""#);
        assert_eq!(text(&Request::Latency(3, 20)), r#"{"latency":[3,20]}"#);
        let reply: Reply = serde_json::from_str(r#"{"stages":{"encode":0.5}}"#).unwrap();
        assert!(matches!(
            reply,
            Reply::Stages(Stages {
                encode: Some(_),
                read: None,
                ..
            })
        ));
        let reply: Reply = serde_json::from_str(r#"{"whole":{"seconds":0.5}}"#).unwrap();
        assert!(matches!(reply, Reply::Whole(Timed { cpu: None, .. })));
        let reply: Reply = serde_json::from_str(r#""none""#).unwrap();
        assert_eq!(reply, Reply::None);
    }

    #[test]
    fn a_program_that_is_no_subject_is_told_so() {
        let start = Start {
            setup: Setup {
                model: String::new(),
                engine: String::new(),
                threads: 1,
                batch_tokens: 1,
                length: None,
            },
            articles: 1,
            windows: None,
        };
        let started = Process::start(Command::new("nothing-of-this-name"), &start);
        assert!(matches!(started, Err(Error::Usage(_))));
        // Says what it hears, which is no answer.
        let started = Process::start(Command::new("cat"), &start);
        let Err(Error::Model(message)) = started.map(|_| ()) else {
            unreachable!("cat is no subject");
        };
        assert!(message.contains("`cat` broke off"), "{message}");
    }
}
