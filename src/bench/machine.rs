//! What the figures were measured on, and what else went on there meanwhile.
//!
//! Linux tells all of it in `/proc`; elsewhere what is not known is absent, never guessed.

use std::fs;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::kernel::Isa;

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, as it gives it.
    pub processor: String,
    /// Cores that the program may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Operating system and architecture.
    pub system: String,
    /// Instruction set of the 8-bit products.
    pub products: String,
    /// Processor features that kernels look for, of those that it has.
    pub features: Vec<String>,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        // Virtual machines often hide the model behind a short name: family, model and stepping tell it all the same.
        let numbers = ["cpu family", "model\t", "stepping"].map(|name| field(&info, name));
        let mut processor = field(&info, "model name").unwrap_or_else(|| "unknown".to_owned());
        if let [Some(family), Some(model), Some(stepping)] = numbers {
            processor.push_str(&format!(
                " (family {family}, model {model}, stepping {stepping})"
            ));
        }
        Self {
            processor,
            cores: cores(),
            memory: field(&memory, "MemTotal").and_then(|kb| kilobytes(&kb)),
            system: format!("{os} {} {arch}", release.trim()).replace("  ", " "),
            products: format!("{:?}", Isa::best()),
            features: features(),
        }
    }
}

/// Cores that the program may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The features that our kernels choose by.
fn features() -> Vec<String> {
    #[allow(unused_mut, reason = "none are known on other processors")]
    let mut found: Vec<&str> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! add {
            ($($name:tt)*) => { $(if is_x86_feature_detected!($name) { found.push($name); })* };
        }
        add!("avx2" "fma" "avxvnni" "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vnni");
    }
    found.into_iter().map(String::from).collect()
}

/// The most memory that this process has had at once, in bytes.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    kilobytes(line.split_once(':')?.1)
}

/// `24576 kB`.
fn kilobytes(text: &str) -> Option<u64> {
    let number: u64 = text.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024)
}

/// How long something took, and who had the processors meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Seconds on the clock.
    pub seconds: f64,
    /// Seconds of processor time that this process had, over all threads.
    #[serde(default)]
    pub cpu: Option<f64>,
    /// Share of the machine's processors that others had: programs, or the neighbours of a virtual machine.
    #[serde(default)]
    pub others: Option<f64>,
}

/// Measures a [`Timed`].
pub struct Meter {
    begun: Instant,
    ticks: Option<Ticks>,
}

/// Processor time, in ticks of 1/100 s.
#[derive(Clone, Copy)]
struct Ticks {
    own: u64,
    busy: u64,
    all: u64,
}

/// Linux counts in hundredths of a second here whatever the kernel's own clock.
const TICK: f64 = 0.01;

impl Meter {
    /// Begins.
    pub fn start() -> Self {
        let ticks = Ticks::now();
        Self {
            begun: Instant::now(),
            ticks,
        }
    }

    /// Ends; `slowed` (0: not at all) makes it last by that share longer, for trials of the instrument.
    pub fn stop(self, slowed: f64) -> Timed {
        let until = self.begun.elapsed().mul_f64(1.0 + slowed);
        while self.begun.elapsed() < until {
            std::hint::spin_loop();
        }
        let seconds = self.begun.elapsed().as_secs_f64();
        let ticks = self.ticks.zip(Ticks::now());
        Timed {
            seconds,
            cpu: ticks.map(|(from, to)| (to.own - from.own) as f64 * TICK),
            others: ticks.and_then(|(from, to)| {
                let all = to.all.checked_sub(from.all).filter(|all| *all > 0)?;
                let busy = to.busy.saturating_sub(from.busy);
                let others = busy.saturating_sub(to.own - from.own);
                Some(others as f64 / all as f64)
            }),
        }
    }
}

impl Ticks {
    fn now() -> Option<Self> {
        let own = fs::read_to_string("/proc/self/stat").ok()?;
        let machine = fs::read_to_string("/proc/stat").ok()?;
        Self::parse(&own, &machine)
    }

    fn parse(own: &str, machine: &str) -> Option<Self> {
        // The program's name may hold spaces and parentheses; behind its last parenthesis, user and system time are fields 12 and 13.
        let mut own = own.rsplit_once(')')?.1.split_whitespace().skip(11);
        let own = own.next()?.parse::<u64>().ok()? + own.next()?.parse::<u64>().ok()?;
        // user nice system idle iowait irq softirq steal (guests are in user and nice already)
        let line = machine.lines().next()?.strip_prefix("cpu ")?;
        let fields = line.split_whitespace().take(8).map(str::parse);
        let fields: Vec<u64> = fields.collect::<Result<_, _>>().ok()?;
        let all = fields.iter().sum();
        let idle = fields.get(3)? + fields.get(4)?;
        Some(Self {
            own,
            busy: all - idle,
            all,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_of_any_kind() {
        let own = "7 (a ) b) R 1 7 7 0 -1 0 0 0 0 0 120 30 0 0 20 0 3 0 99";
        let machine = "cpu  500 0 100 1000 50 0 10 40 9 9\ncpu0 1 2 3";
        let ticks = Ticks::parse(own, machine).unwrap();
        assert_eq!((ticks.own, ticks.busy, ticks.all), (150, 650, 1700));
        assert!(Ticks::parse("", machine).is_none());
        assert!(Ticks::parse(own, "intr 5").is_none());
    }

    #[test]
    fn this_machine_says_what_it_is() {
        let machine = Machine::this();
        assert!(machine.cores > 0);
        assert!(!machine.processor.is_empty() && !machine.products.is_empty());
        let again: Machine =
            serde_json::from_str(&serde_json::to_string(&machine).unwrap()).unwrap();
        assert_eq!(again, machine);
    }

    #[test]
    fn kilobytes_are_bytes() {
        assert_eq!(kilobytes("  16 kB"), Some(16_384));
        assert_eq!(kilobytes("16 MB"), None);
    }

    #[test]
    fn slowing_down_lengthens() {
        let meter = Meter::start();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let timed = meter.stop(1.0);
        assert!(timed.seconds >= 0.004, "{timed:?}");
    }
}
