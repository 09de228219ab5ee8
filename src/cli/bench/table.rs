//! The figures for people: columns on a terminal, or Markdown.

use std::io::{self, Write};

use tidings::bench::report::{Figures, Measured, Ratio, Report, Settings};
use tidings::bench::statistics::Summary;
use tidings::eval::Estimate;
use tidings::output::plain;

use super::super::count;

/// From this share of the processors in others' hands, the figures are not those of an idle machine.
const UNDER_LOAD: f64 = 0.05;

/// How figures are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Columns, for a terminal.
    Columns,
    /// Markdown tables and lists.
    Markdown,
}

impl Style {
    fn table(self, out: &mut impl Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        match self {
            Self::Columns => columns(out, head, rows),
            Self::Markdown => markdown(out, head, rows),
        }
    }

    /// What a line that stands alone begins with.
    fn lead(self) -> &'static str {
        match self {
            Self::Columns => "",
            Self::Markdown => "- ",
        }
    }
}

/// Writes the whole report.
pub fn print(out: &mut impl Write, report: &Report, style: Style) -> io::Result<()> {
    head(out, report, style)?;
    let several = report.subjects.len() > 1;
    if several {
        let rows: Vec<Vec<String>> = report.subjects.iter().map(row).collect();
        style.table(out, &ROW, &rows)?;
    }
    for subject in &report.subjects {
        if !several {
            let head = ["", "median", "95% interval", "mean ± sd", "n", "outliers"];
            style.table(out, &head, &summaries(&subject.figures))?;
            writeln!(out)?;
            lines(out, &subject.figures, style)?;
        }
    }
    if !report.ratios.is_empty() {
        let first = report.subjects.first();
        let first = first.map_or_else(String::new, |s| subject(&s.settings));
        writeln!(out, "\nbeside {first}, round by round (above 1: faster):\n")?;
        let row = |ratio: &Ratio| {
            let settings = report.subjects.get(ratio.subject).map(|s| &s.settings);
            vec![
                settings.map_or_else(String::new, subject),
                times(&ratio.whole),
                times(&ratio.encode),
            ]
        };
        let rows: Vec<Vec<String>> = report.ratios.iter().map(row).collect();
        style.table(out, &["subject", "whole", "model alone"], &rows)?;
    }
    compared(out, report, style)
}

fn head(out: &mut impl Write, report: &Report, style: Style) -> io::Result<()> {
    let machine = &report.machine;
    let memory = machine.memory.map_or_else(String::new, |bytes| {
        format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30))
    });
    let mut lines = vec![
        format!(
            "tidings {} ({}), {}",
            report.program.version,
            report.program.commit,
            date(report.began)
        ),
        format!(
            "{}, {}{memory}, {}",
            machine.processor,
            count(machine.cores, "core"),
            machine.system
        ),
        format!(
            "8-bit products by {}; features {}",
            machine.products,
            machine.features.join(" ")
        ),
    ];
    for gpu in report.gpus() {
        lines.push(format!("GPU: {}", plain(gpu)));
    }
    if let Some(Measured { settings, .. }) = report.subjects.first() {
        lines.push(format!(
            "{} ({}): {} tokens in {} windows{}; claims: {}",
            count(settings.size.articles, "article"),
            plain(&settings.texts.join(" ")),
            settings.size.tokens,
            settings.size.windows,
            match settings.size.failed {
                0 => String::new(),
                n => format!(", {n} that cannot be read"),
            },
            plain(&settings.claims.join(" | "))
        ));
        if report.subjects.len() == 1 {
            lines.push(subject(settings));
        }
    }
    let figures = || report.subjects.iter().map(|s| &s.figures);
    let others = figures().filter_map(|f| f.others).fold(0.0, f64::max);
    if others >= UNDER_LOAD {
        lines.push(format!(
            "UNDER LOAD: others had {:.0}% of the processors; these are not the figures of an idle machine",
            others * 100.0
        ));
    }
    if report.plan.slowed > 0.0 {
        let percent = report.plan.slowed * 100.0;
        lines.push(format!("slowed down by {percent}% on purpose"));
    }
    let unsteady: usize = figures().map(|f| f.unsteady).sum();
    if unsteady > 0 {
        lines.push(format!(
            "{} did not become steady in the warm-up",
            count(unsteady, "process")
        ));
    }
    for line in lines {
        writeln!(out, "{}{line}", style.lead())?;
    }
    writeln!(out)
}

fn subject(settings: &Settings) -> String {
    let setup = &settings.setup;
    let length = setup
        .length
        .map_or_else(String::new, |n| format!(", articles of {n} tokens"));
    match setup.engine.as_str() {
        "peer" => format!(
            "{}, {}{length}",
            plain(&settings.name),
            count(setup.threads, "thread")
        ),
        engine => {
            let engine = match &settings.gpu {
                Some(gpu) => format!("on {}", plain(gpu)),
                None => engine.to_owned(),
            };
            format!(
                "{}, {engine}, {}, batches of {} tokens{length}",
                plain(&settings.name),
                count(setup.threads, "thread"),
                setup.batch_tokens
            )
        }
    }
}

const ROW: [&str; 12] = [
    "model",
    "engine",
    "threads",
    "batch",
    "length",
    "articles/s",
    "tokens/s",
    "model alone, articles/s",
    "p50 ms",
    "p99 ms",
    "MB",
    "roofline",
];

fn row(subject: &Measured) -> Vec<String> {
    let Measured {
        settings, figures, ..
    } = subject;
    let ms = |seconds: Option<f64>| seconds.map_or_else(none, |s| number(s * 1e3));
    let middle = |summary: &Option<Summary>, unit: f64| {
        summary
            .as_ref()
            .map_or_else(none, |s| number(s.median * unit))
    };
    vec![
        plain(&settings.name),
        match &settings.gpu {
            Some(gpu) => plain(gpu),
            None => settings.setup.engine.clone(),
        },
        settings.setup.threads.to_string(),
        match settings.setup.batch_tokens {
            // Of a peer, which says how it batches in its name.
            0 => none(),
            tokens => tokens.to_string(),
        },
        settings.setup.length.map_or_else(none, |n| n.to_string()),
        with_interval(&figures.articles),
        middle(&figures.tokens, 1.0),
        with_interval(&figures.encode_articles),
        ms(figures.latency.as_ref().map(|l| l.p50)),
        ms(figures.latency.as_ref().and_then(|l| l.p99)),
        middle(&figures.memory, 1e-6),
        figures
            .roofline
            .as_ref()
            .map_or_else(none, |r| format!("{:.0}%", r.share * 100.0)),
    ]
}

fn summaries(figures: &Figures) -> Vec<Vec<String>> {
    let all = [
        ("articles/s", &figures.articles, 1.0),
        ("tokens/s", &figures.tokens, 1.0),
        ("articles/s, model alone", &figures.encode_articles, 1.0),
        ("tokens/s, model alone", &figures.encode_tokens, 1.0),
        ("load, ms", &figures.load, 1e3),
        ("first record, ms", &figures.first_record, 1e3),
        ("peak memory, MB", &figures.memory, 1e-6),
    ];
    let rows = all.into_iter().filter_map(|(name, summary, unit)| {
        let s = summary.as_ref()?;
        Some(vec![
            name.to_owned(),
            number(s.median * unit),
            match (s.low, s.high) {
                (Some(low), Some(high)) => {
                    format!("[{}, {}]", number(low * unit), number(high * unit))
                }
                _ => none(),
            },
            match s.sd {
                Some(sd) => format!("{} ± {}", number(s.mean * unit), number(sd * unit)),
                None => number(s.mean * unit),
            },
            s.n.to_string(),
            s.outliers.to_string(),
        ])
    });
    rows.collect()
}

fn lines(out: &mut impl Write, figures: &Figures, style: Style) -> io::Result<()> {
    let lead = style.lead();
    if let Some(latency) = &figures.latency {
        let mut parts = vec![format!("p50 {}", number(latency.p50 * 1e3))];
        parts.extend(latency.p90.map(|s| format!("p90 {}", number(s * 1e3))));
        parts.extend(latency.p99.map(|s| format!("p99 {}", number(s * 1e3))));
        parts.push(format!("most {}", number(latency.most * 1e3)));
        writeln!(
            out,
            "{lead}one article alone, ms: {} ({} samples)",
            parts.join(", "),
            latency.n
        )?;
    }
    let total: f64 = figures.stages().map(|(_, ms)| ms).sum();
    let stages: Vec<String> = figures
        .stages()
        .map(|(name, ms)| {
            format!(
                "{name} {} ({:.0}%)",
                number(ms),
                100.0 * ms / total.max(1e-9)
            )
        })
        .collect();
    if !stages.is_empty() {
        writeln!(
            out,
            "{lead}stages apart, ms an article: {}",
            stages.join(", ")
        )?;
    }
    if let Some(r) = &figures.roofline {
        let int8 = match r.peaks.int8 {
            0.0 => String::new(),
            int8 => format!("{:.0} Gop/s in 8 bits, ", int8 / 1e9),
        };
        writeln!(
            out,
            "{lead}roofline: encoding ran at {:.0}% of what this machine could do at best ({:.0} Gop/s; peaks {int8}{:.0} GFLOP/s, {:.1} GB/s)",
            r.share * 100.0,
            r.operations / 1e9,
            r.peaks.float / 1e9,
            r.peaks.bandwidth / 1e9
        )?;
    }
    Ok(())
}

fn compared(out: &mut impl Write, report: &Report, style: Style) -> io::Result<()> {
    let Some(baseline) = &report.baseline else {
        return Ok(());
    };
    writeln!(
        out,
        "\nbeside the baseline, tidings {} ({}), {} (above 1: faster than then):\n",
        baseline.program.version,
        baseline.program.commit,
        date(baseline.began)
    )?;
    let rows: Vec<Vec<String>> = baseline
        .subjects
        .iter()
        .zip(&report.subjects)
        .map(|(compared, now)| {
            vec![
                subject(&now.settings),
                times(&compared.alone),
                verdict(compared.deciding()).to_owned(),
                times(&compared.whole),
                times(&compared.encode),
                compared.machine.map_or_else(none, |m| format!("{m:.3}")),
            ]
        })
        .collect();
    let head = [
        "subject",
        "one article alone",
        "",
        "whole",
        "model alone",
        "the machine's own products",
    ];
    style.table(out, &head, &rows)?;
    let others = baseline.subjects.iter().filter_map(|c| c.others);
    if others.fold(0.0, f64::max) >= UNDER_LOAD {
        let what =
            "one of the two runs was under load, which may explain a difference, or hide one";
        writeln!(out, "{}{what}", style.lead())?;
    }
    Ok(())
}

fn verdict(ratio: Option<&Estimate>) -> &'static str {
    match ratio {
        Some(r) if r.high < 1.0 => "slower",
        Some(r) if r.low > 1.0 => "faster",
        Some(_) => "no difference beyond the interval",
        None => "too few samples",
    }
}

fn with_interval(summary: &Option<Summary>) -> String {
    match summary {
        Some(Summary {
            median,
            low: Some(low),
            high: Some(high),
            ..
        }) => format!("{} [{}, {}]", number(*median), number(*low), number(*high)),
        Some(s) => number(s.median),
        None => none(),
    }
}

fn times(ratio: &Option<Estimate>) -> String {
    ratio.as_ref().map_or_else(none, |r| {
        format!("{:.3} [{:.3}, {:.3}]", r.value, r.low, r.high)
    })
}

fn none() -> String {
    "–".to_owned()
}

/// Three digits that mean something.
fn number(x: f64) -> String {
    match x.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{x:.0}"),
        10.0.. => format!("{x:.1}"),
        1.0.. => format!("{x:.2}"),
        _ => format!("{x:.3}"),
    }
}

/// `2026-11-27 06:40 UTC`; the days by Hinnant's `civil_from_days`.
fn date(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400, seconds % 86_400 / 60);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!(
        "{year}-{month:02}-{day:02} {:02}:{:02} UTC",
        minutes / 60,
        minutes % 60
    )
}

fn columns(out: &mut impl Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let all: Vec<&Vec<String>> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| {
        let cells = all.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    for row in &all {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let pad = " ".repeat(width(column) - cell.chars().count());
            // Names stand left, figures right.
            if column == 0 {
                format!("{cell}{pad}")
            } else {
                format!("{pad}{cell}")
            }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn markdown(out: &mut impl Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    writeln!(out, "| {} |", head.join(" | "))?;
    writeln!(out, "|---|{}", "---:|".repeat(head.len() - 1))?;
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_795_761_600), "2026-11-27 06:40 UTC");
    }

    #[test]
    fn numbers_keep_three_digits() {
        let shown = [0.0, 0.1234, 1.234, 12.34, 123.4, 12345.6].map(number);
        assert_eq!(shown, ["0", "0.123", "1.23", "12.3", "123", "12346"]);
    }
}
