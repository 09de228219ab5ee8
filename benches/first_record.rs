//! From the start of the process to the first record: what a person waits for one short article.
//!
//! `cargo bench --bench first_record`

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

fn first_record(c: &mut Criterion) {
    let article = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire/river-talks.txt");
    let once = || -> std::io::Result<Duration> {
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidings"))
            .args(["classify", "-q"])
            .arg(&article)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let waited = begun.elapsed();
        assert!(line.contains("\"stance\""), "no record: {line}");
        child.wait()?;
        Ok(waited)
    };
    c.bench_function("process start to first record", |b| {
        b.iter_custom(|n| (0..n).filter_map(|_| once().ok()).sum());
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(10));
    targets = first_record
}
criterion_main!(benches);
