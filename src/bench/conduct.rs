//! The order of events: processes, warm-up, rounds.
//!
//! Each subject is measured in several processes, one after the other. In each it first warms up until it is steady, then its rounds
//! are timed: a whole pass, a pass by stages and one of each article alone. When subjects are interleaved they live side by side and take turns in every round,
//! forwards and backwards, so that whatever the machine does meanwhile happens to all of them.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine::Timed;
use super::roofline::Peaks;
use super::subject::{Ready, Reply, Request, Subject};
use super::worker::{Size, Stages};
use crate::error::{Error, Result};

/// How much is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Processes of each subject.
    pub processes: usize,
    /// Rounds of each subject at least, over all processes.
    pub runs: usize,
    /// Seconds at least that the rounds of each subject take, over all processes.
    pub seconds: f64,
    /// Warm-up passes of each process; `None`: until steady.
    pub warmup: Option<usize>,
    /// Whether subjects take turns.
    pub interleaved: bool,
    /// Share of its time by which every pass of ours was made longer: 0 but for trials of the instrument.
    #[serde(default)]
    pub slowed: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            processes: 5,
            runs: 40,
            seconds: 10.0,
            warmup: None,
            interleaved: false,
            slowed: 0.0,
        }
    }
}

/// Fewer warm-up passes cannot show that they are steady, more are not waited for.
const WARMUPS: std::ops::RangeInclusive<usize> = 3..=15;
/// The last passes that must bring nothing new.
const STEADY: usize = 2;
/// What counts as new: noise only ever makes a pass slower, so that it is faster ones that show a program still warming up.
const FASTER: f64 = 0.02;

/// A round of a subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// A pass as a whole.
    pub whole: Timed,
    /// A pass by stages.
    pub stages: Stages,
    /// Seconds of each article alone, in their order.
    #[serde(default)]
    pub alone: Vec<f64>,
}

/// All that was measured of a subject in one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Seconds that loading took.
    pub load: f64,
    /// Seconds from the start of a program to its first record, each in a process of its own.
    pub first_record: Vec<f64>,
    /// The most memory after the whole passes of the warm-up, in bytes.
    pub memory: Option<u64>,
    /// Seconds of each warm-up pass.
    pub warmup: Vec<f64>,
    /// Whether the warm-up became steady.
    pub steady: bool,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// What the machine computed and moved at best, right after the rounds.
    pub peaks: Option<Peaks>,
}

/// How far the measuring is: process of processes, and what is done there.
pub type Watch<'a> = dyn FnMut(usize, &str) + 'a;

/// Begins a process of the subject with that number: a loaded subject.
pub type Begin<'a> = dyn FnMut(usize) -> Result<(Box<dyn Subject>, Ready)> + 'a;

/// Measures subjects `0..count`, each begun by `begin` once for every process; `first_record` times a fresh program of one (`None`:
/// it has none). Returns what each said of itself, and its samples by process.
///
/// # Errors
/// The first error of a subject.
pub fn measure(
    count: usize,
    plan: &Plan,
    begin: &mut Begin<'_>,
    first_record: &mut dyn FnMut(usize) -> Result<Option<f64>>,
    watch: &mut Watch<'_>,
) -> Result<Vec<(Ready, Vec<Samples>)>> {
    let mut found: Vec<Option<(Ready, Vec<Samples>)>> = (0..count).map(|_| None).collect();
    let groups: Vec<Vec<usize>> = match plan.interleaved {
        true => vec![(0..count).collect()],
        false => (0..count).map(|number| vec![number]).collect(),
    };
    for group in groups {
        for process in 0..plan.processes.max(1) {
            for (number, ready, samples) in
                one_process(&group, process, plan, begin, first_record, watch)?
            {
                let (_, all) = found[number].get_or_insert_with(|| (ready, Vec::new()));
                all.push(samples);
            }
        }
    }
    Ok(found.into_iter().flatten().collect())
}

/// A part of `whole` for the process with that number, so that the parts of all processes together are the whole.
fn part(whole: usize, process: usize, processes: usize) -> usize {
    whole * (process + 1) / processes.max(1) - whole * process / processes.max(1)
}

fn one_process(
    group: &[usize],
    process: usize,
    plan: &Plan,
    begin: &mut Begin<'_>,
    first_record: &mut dyn FnMut(usize) -> Result<Option<f64>>,
    watch: &mut Watch<'_>,
) -> Result<Vec<(usize, Ready, Samples)>> {
    struct Running {
        number: usize,
        subject: Box<dyn Subject>,
        ready: Ready,
        samples: Samples,
    }
    let mut all: Vec<Running> = Vec::new();
    for &number in group {
        watch(process, "loading");
        let (subject, ready) = begin(number)?;
        let mut samples = Samples::new(ready.load);
        for _ in 0..2 {
            samples.first_record.extend(first_record(number)?);
        }
        all.push(Running {
            number,
            subject,
            ready,
            samples,
        });
    }
    for one in &mut all {
        watch(process, "warming up");
        warm_up(&mut *one.subject, plan.warmup, &mut one.samples)?;
        one.samples.memory = match one.subject.ask(Request::Memory)? {
            Reply::Memory(bytes) => Some(bytes),
            _ => None,
        };
    }
    let rounds = part(plan.runs, process, plan.processes);
    let time = plan.seconds / plan.processes.max(1) as f64 * all.len() as f64;
    let time = Duration::try_from_secs_f64(time).unwrap_or_default();
    let begun = Instant::now();
    let mut round = 0;
    while round < rounds || begun.elapsed() < time {
        round += 1;
        watch(process, &format!("round {round}"));
        // There and back: whatever comes first in a round is not always the same.
        match round % 2 {
            0 => all
                .iter_mut()
                .rev()
                .try_for_each(|one| one.samples.round(&mut *one.subject, one.ready.size))?,
            _ => all
                .iter_mut()
                .try_for_each(|one| one.samples.round(&mut *one.subject, one.ready.size))?,
        }
    }
    watch(process, "the machine");
    for one in &mut all {
        if let Reply::Peaks(peaks) = one.subject.ask(Request::Peaks)? {
            one.samples.peaks = Some(peaks);
        }
    }
    Ok(all
        .into_iter()
        .map(|one| (one.number, one.ready, one.samples))
        .collect())
}

fn warm_up(subject: &mut dyn Subject, fixed: Option<usize>, samples: &mut Samples) -> Result<()> {
    let most = fixed.unwrap_or(*WARMUPS.end());
    samples.steady = fixed.is_some();
    while samples.warmup.len() < most && (fixed.is_some() || !samples.steady) {
        samples.warmup.push(whole(subject)?.seconds);
        samples.steady = fixed.is_some() || is_steady(&samples.warmup);
    }
    Ok(())
}

/// Whether the last passes were no faster than those before them.
fn is_steady(seconds: &[f64]) -> bool {
    let best = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
    let (before, last) = seconds.split_at(seconds.len().saturating_sub(STEADY));
    seconds.len() >= *WARMUPS.start() && best(last) >= best(before) * (1.0 - FASTER)
}

fn whole(subject: &mut dyn Subject) -> Result<Timed> {
    match subject.ask(Request::Whole)? {
        Reply::Whole(timed) => Ok(timed),
        other => Err(out_of_order(&other)),
    }
}

fn out_of_order(reply: &Reply) -> Error {
    Error::Model(format!(
        "the measured program answered {reply:?} out of order"
    ))
}

impl Samples {
    fn new(load: f64) -> Self {
        Self {
            load,
            first_record: Vec::new(),
            memory: None,
            warmup: Vec::new(),
            steady: false,
            rounds: Vec::new(),
            peaks: None,
        }
    }

    fn round(&mut self, subject: &mut dyn Subject, size: Size) -> Result<()> {
        let whole = whole(subject)?;
        let stages = match subject.ask(Request::Stages)? {
            Reply::Stages(stages) => stages,
            Reply::None => Stages::default(),
            other => return Err(out_of_order(&other)),
        };
        let alone = match subject.ask(Request::Latency(
            0,
            size.articles.saturating_sub(size.failed),
        ))? {
            Reply::Latency(seconds) => seconds,
            Reply::None => Vec::new(),
            other => return Err(out_of_order(&other)),
        };
        self.rounds.push(Round {
            whole,
            stages,
            alone,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Writes down what it is asked; its passes take what is foretold, then a second each.
    struct Told {
        number: usize,
        log: Rc<RefCell<Vec<(usize, Request)>>>,
        seconds: Box<dyn Iterator<Item = f64>>,
    }

    impl Subject for Told {
        fn ask(&mut self, request: Request) -> Result<Reply> {
            self.log.borrow_mut().push((self.number, request));
            Ok(match request {
                Request::Whole => Reply::Whole(Timed {
                    seconds: self.seconds.next().unwrap_or(1.0),
                    cpu: None,
                    others: None,
                }),
                Request::Stages => Reply::Stages(Stages::default()),
                Request::Latency(_, count) => Reply::Latency(vec![0.1; count]),
                _ => Reply::None,
            })
        }
    }

    type Log = Vec<(usize, Request)>;

    fn conduct(count: usize, plan: &Plan, seconds: &[f64]) -> (Vec<(Ready, Vec<Samples>)>, Log) {
        let seconds = seconds.to_vec();
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut begin = |number| -> Result<(Box<dyn Subject>, Ready)> {
            let told = Told {
                number,
                log: Rc::clone(&log),
                seconds: Box::new(seconds.clone().into_iter()),
            };
            let ready = Ready {
                name: format!("subject {number}"),
                sha256: None,
                texts: None,
                gpu: None,
                batch_tokens: None,
                load: 0.5,
                size: Size {
                    articles: 5,
                    failed: 2,
                    ..Size::default()
                },
                work: None,
            };
            Ok((Box::new(told), ready))
        };
        let found = measure(
            count,
            plan,
            &mut begin,
            &mut |_| Ok(Some(0.2)),
            &mut |_, _| (),
        );
        let log = log.borrow().clone();
        (found.unwrap(), log)
    }

    fn quick(interleaved: bool) -> Plan {
        Plan {
            processes: 2,
            runs: 5,
            seconds: 0.0,
            warmup: Some(1),
            interleaved,
            slowed: 0.0,
        }
    }

    #[test]
    fn rounds_are_shared_out_among_processes() {
        let (found, _) = conduct(1, &quick(false), &[]);
        let [(ready, samples)] = &found[..] else {
            unreachable!("one subject")
        };
        assert_eq!(ready.name, "subject 0");
        let counts: Vec<_> = samples
            .iter()
            .map(|s| (s.rounds.len(), s.first_record.len()))
            .collect();
        assert_eq!(counts, [(2, 2), (3, 2)]);
        let alone = samples.iter().flat_map(|s| &s.rounds);
        assert!(
            alone.into_iter().all(|round| round.alone.len() == 3),
            "every article that can be read"
        );
    }

    #[test]
    fn interleaved_subjects_take_turns_there_and_back() {
        let passes = |log: &Log| -> Vec<usize> {
            let staged = log.iter().filter(|(_, r)| *r == Request::Stages);
            staged.map(|(number, _)| *number).collect()
        };
        let (found, log) = conduct(3, &quick(true), &[]);
        assert_eq!(found.len(), 3);
        assert_eq!(passes(&log)[..6], [0, 1, 2, 2, 1, 0]);
        let (found, log) = conduct(2, &quick(false), &[]);
        assert_eq!(found[1].0.name, "subject 1");
        assert_eq!(passes(&log), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn the_warm_up_ends_when_passes_get_no_faster() {
        let plan = Plan {
            warmup: None,
            processes: 1,
            ..quick(false)
        };
        let (found, _) = conduct(1, &plan, &[2.0, 1.5, 1.2, 1.0, 1.3, 0.99]);
        let samples = &found[0].1[0];
        assert_eq!(samples.warmup, [2.0, 1.5, 1.2, 1.0, 1.3, 0.99]);
        assert!(samples.steady);
        let falling: Vec<f64> = (0..40).map(|i| 0.9f64.powi(i)).collect();
        let (found, _) = conduct(1, &plan, &falling);
        assert_eq!(found[0].1[0].warmup.len(), *WARMUPS.end());
        assert!(!found[0].1[0].steady, "and that is said");
    }

    #[test]
    fn parts_together_are_the_whole() {
        for whole in [0, 1, 7, 100] {
            for processes in [1, 2, 5, 9] {
                let sum: usize = (0..processes).map(|p| part(whole, p, processes)).sum();
                assert_eq!(sum, whole);
            }
        }
    }
}
