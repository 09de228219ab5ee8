//! The figures for people.

use std::io::{self, Write};

use tidings::eval::{
    CheckFigures, Comparison, Estimate, EvidenceFigures, Figures, Negated, Report, SummaryFigures,
};
use tidings::output::plain;
use tidings::stance::Stance;

/// Changed answers that are listed; all are in the JSON.
const LISTED: usize = 20;
/// Width of the column with the names.
const NAMES: usize = 25;
/// Width of a column of figures: `0.000 [0.000, 0.000]` and two spaces; a skill may be negative.
const FIGURE: usize = 24;

/// Writes the whole report.
pub fn print(out: &mut impl Write, report: &Report) -> io::Result<()> {
    head(out, report)?;
    let mut columns = vec![("all", &report.all)];
    columns.extend(report.short.as_ref().map(|f| ("one window", f)));
    columns.extend(report.long.as_ref().map(|f| ("longer", f)));
    // One kind of article alone is all of them.
    if columns.len() == 2 {
        columns.pop();
    }
    summary(out, &columns)?;
    if let Some(score) = &report.fnc {
        writeln!(
            out,
            "{:NAMES$}{}  ({:.2} of {:.2} points)",
            "FNC-1 score, %",
            percent(&score.share),
            score.points,
            score.most
        )?;
    }
    classes(out, &report.all)?;
    reliability(out, &report.all)?;
    if let Some(evidence) = &report.all.evidence {
        sentences(out, evidence)?;
    }
    if let Some(figures) = &report.summaries {
        summaries(out, figures)?;
    }
    if let Some(negated) = &report.negated {
        denied(out, negated)?;
    }
    if let Some(comparison) = &report.baseline {
        compared(out, comparison)?;
    }
    Ok(())
}

fn head(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Report { all, .. } = report;
    writeln!(
        out,
        "{}: {} about {}",
        plain(&report.model),
        count(all.items, "answer"),
        count(all.articles, "article")
    )?;
    if report.unlabelled > 0 {
        let left_out = count(report.unlabelled, "question");
        writeln!(out, "{left_out} without a label left out")?;
    }
    if report.shortened > 0 {
        let claims = count(report.shortened, "claim");
        writeln!(out, "{claims} cut to the length that the model takes")?;
    }
    let unanswered: Vec<String> = report
        .unanswered
        .iter()
        .map(|(kind, n)| format!("{kind} {n}"))
        .collect();
    if !unanswered.is_empty() {
        writeln!(
            out,
            "{} without an answer, in no figure{}: {}",
            count(report.unanswered.values().sum(), "question"),
            match report.fnc {
                Some(_) => " but the FNC-1 score",
                None => "",
            },
            unanswered.join(", ")
        )?;
    }
    if report.broken > 0 {
        writeln!(
            out,
            "{} too broken to have a label (`tidings classify` says why)",
            count(report.broken, "record")
        )?;
    }
    if report.abstained > 0 {
        writeln!(
            out,
            "{} left open for a low score",
            count(report.abstained, "answer")
        )?;
    }
    Ok(())
}

fn summary(out: &mut impl Write, columns: &[(&str, &Figures)]) -> io::Result<()> {
    type Pick = fn(&Figures) -> &Estimate;
    let rows: [(&str, Pick); 6] = [
        ("accuracy", |f| &f.accuracy),
        ("macro F1", |f| &f.macro_f1),
        ("log loss", |f| &f.log_loss),
        ("Brier score", |f| &f.brier),
        ("Brier skill", |f| &f.brier_skill),
        ("calibration error", |f| &f.calibration_error),
    ];
    write!(out, "\n{:NAMES$}", "")?;
    let heads: Vec<String> = columns
        .iter()
        .map(|(name, f)| format!("{:FIGURE$}", format!("{name} ({})", f.items)))
        .collect();
    writeln!(out, "{}", heads.concat().trim_end())?;
    for (name, pick) in rows {
        let cells: Vec<String> = columns
            .iter()
            .map(|(_, f)| format!("{:FIGURE$}", estimate(pick(f))))
            .collect();
        writeln!(out, "{name:NAMES$}{}", cells.concat().trim_end())?;
    }
    Ok(())
}

fn classes(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    let names = Stance::ALL.map(|s| format!("{:>11}", s.name()));
    writeln!(
        out,
        "\n{:NAMES$}precision  recall     F1   said:{}",
        "label",
        names.concat()
    )?;
    for (class, row) in figures.classes.iter().zip(&figures.confusion) {
        let counts = row.map(|n| format!("{n:>11}"));
        writeln!(
            out,
            "{:NAMES$}{:>9.3}{:>8.3}{:>7.3}        {}",
            class.stance.name(),
            class.precision,
            class.recall,
            class.f1,
            counts.concat()
        )?;
    }
    Ok(())
}

fn reliability(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    writeln!(out, "\n{:NAMES$}   answers   mean  right", "best score")?;
    for row in &figures.reliability {
        writeln!(
            out,
            "{:NAMES$}{:>10}{:>7.3}{:>7.3}",
            format!("{:.1} to {:.1}", row.above, row.to),
            row.items,
            row.confidence,
            row.accuracy
        )?;
    }
    Ok(())
}

fn sentences(out: &mut impl Write, e: &EvidenceFigures) -> io::Result<()> {
    writeln!(
        out,
        "\nevidence: {} with marked sentences, {} of them answered with some",
        count(e.items, "item"),
        e.answered
    )?;
    for (name, figure) in [
        ("best is marked", &e.hit_one),
        ("one of best two", &e.hit_two),
        ("precision", &e.precision),
        ("Lead-1", &e.lead_one),
        ("Lead-2", &e.lead_two),
        ("Lead-2 precision", &e.lead_two_precision),
    ] {
        writeln!(out, "{name:NAMES$}{}", estimate(figure))?;
    }
    Ok(())
}

fn summaries(out: &mut impl Write, s: &SummaryFigures) -> io::Result<()> {
    writeln!(
        out,
        "\nsummaries: {} beside a reader's, {:.1} words in {:.1} sentences on average, {} of those with marked sentences hold one",
        s.items,
        s.words.value,
        s.sentences.value,
        percent(&s.marked),
    )?;
    if s.rewritten.value > 0.0 {
        writeln!(out, "with a rewritten sentence: {}", percent(&s.rewritten))?;
    }
    let heads = ["ROUGE-1", "ROUGE-2", "ROUGE-Lsum"].map(|name| format!("{name:FIGURE$}"));
    writeln!(out, "{:NAMES$}{}", "", heads.concat().trim_end())?;
    for (name, row) in [
        ("ours", &s.rouge),
        ("Lead-2", &s.lead),
        ("ours over Lead-2", &s.over_lead),
        ("first words", &s.cut),
        ("ours over them", &s.over_cut),
    ] {
        let cells = row.map(|figure| format!("{:FIGURE$}", estimate(&figure)));
        writeln!(out, "{name:NAMES$}{}", cells.concat().trim_end())?;
    }
    Ok(())
}

/// Prints how well the check tells sentences that are supported from others, a set after the other.
pub fn check(out: &mut impl Write, sets: &[CheckFigures]) -> io::Result<()> {
    for figures in sets {
        let of = match &*figures.set {
            "" => String::new(),
            set => format!(" of {}", plain(set)),
        };
        let sentences = count(figures.sentences, "sentence");
        writeln!(out, "{sentences}{of}, {} supported", figures.supported)?;
        for (name, figure) in [
            ("area under the curve", &figures.auc),
            ("the same by shared pairs", &figures.overlap_auc),
            ("supported ones kept", &figures.kept),
            ("others rejected", &figures.rejected),
        ] {
            writeln!(out, "{name:NAMES$}{}", estimate(figure))?;
        }
        for (kind, [supported, others]) in &figures.flaws {
            let name = format!("rejected for {kind}");
            writeln!(out, "{name:NAMES$}{supported} supported, {others} others")?;
        }
    }
    Ok(())
}

fn denied(out: &mut impl Write, negated: &Negated) -> io::Result<()> {
    let figures = &negated.figures;
    writeln!(
        out,
        "\nthe claims denied: {}",
        count(figures.items, "answer")
    )?;
    for (name, figure) in [
        ("accuracy", &figures.accuracy),
        ("macro F1", &figures.macro_f1),
        ("share of accuracy", &negated.accuracy_share),
        ("share of macro F1", &negated.macro_f1_share),
    ] {
        writeln!(out, "{name:NAMES$}{}", estimate(figure))?;
    }
    classes(out, figures)
}

fn compared(out: &mut impl Write, c: &Comparison) -> io::Result<()> {
    writeln!(
        out,
        "\nbeside the baseline: {} in both, {} only here",
        count(c.items, "answer"),
        c.missing
    )?;
    for (name, [was, now], difference) in [
        ("accuracy", c.accuracy, &c.accuracy_difference),
        ("macro F1", c.macro_f1, &c.macro_f1_difference),
    ] {
        writeln!(
            out,
            "{name:NAMES$}{was:.3} → {now:.3}  {:+.3} [{:+.3}, {:+.3}]",
            difference.value, difference.low, difference.high
        )?;
    }
    writeln!(
        out,
        "{:NAMES$}{} ({} mended, {} broken; McNemar p {:.3})",
        "changed",
        c.changed.len(),
        c.mended,
        c.broken,
        c.p
    )?;
    for change in c.changed.iter().take(LISTED) {
        let verdict = match change.gold {
            gold if gold == change.now => "mended",
            gold if gold == change.was => "broken",
            _ => "wrong",
        };
        writeln!(
            out,
            "  {verdict:7} {} → {} (gold {})  {}  {}",
            change.was.name(),
            change.now.name(),
            change.gold.name(),
            plain(&change.id),
            plain(&change.claim)
        )?;
    }
    if let Some(more) = c.changed.len().checked_sub(LISTED).filter(|n| *n > 0) {
        writeln!(out, "  … and {more} more (--format json lists all)")?;
    }
    Ok(())
}

fn estimate(e: &Estimate) -> String {
    if e.value.is_nan() {
        return "–".to_owned();
    }
    format!("{:.3} [{:.3}, {:.3}]", e.value, e.low, e.high)
}

fn percent(e: &Estimate) -> String {
    let [value, low, high] = [e.value, e.low, e.high].map(|x| 100.0 * x);
    format!("{value:.2} [{low:.2}, {high:.2}]")
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
