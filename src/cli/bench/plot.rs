//! The figures as a picture: above, speed over what the grid varies; below, how long single articles take.

use std::io;

use plotters::coord::Shift;
use plotters::prelude::*;
use tidings::bench::Report;
use tidings::bench::report::{Measured, Settings};
use tidings::bench::statistics::Summary;
use tidings::output::plain;
use tidings::{Error, Result};

/// Size of the picture.
const SIZE: (u32, u32) = (900, 900);
/// Colours that most people can tell apart (Okabe and Ito 2008); more lines go around.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = std::result::Result<(), DrawingAreaErrorKind<io::Error>>;

/// Draws `report` as SVG.
///
/// # Errors
/// [`Error::Output`] when that fails.
pub fn draw(report: &Report) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let drawn = root.fill(&WHITE).and_then(|()| {
            let (above, below) = root.split_vertically(SIZE.1 * 11 / 20);
            speed(&above, report)?;
            latency(&below, report)?;
            root.present()
        });
        drawn.map_err(|e| Error::Output(io::Error::other(e.to_string())))?;
    }
    Ok(svg)
}

/// What the grid varies most: its name, and its value in a setting.
struct Axis {
    name: &'static str,
    value: fn(&Settings) -> Option<usize>,
}

const AXES: [Axis; 3] = [
    Axis {
        name: "tokens of an article",
        value: |s| s.setup.length,
    },
    Axis {
        name: "tokens of a batch",
        value: |s| Some(s.setup.batch_tokens),
    },
    Axis {
        name: "threads",
        value: |s| Some(s.setup.threads),
    },
];

impl Axis {
    /// The axis with the most values; of equals, the first.
    fn of(report: &Report) -> &'static Self {
        let values = |axis: &&Axis| {
            let values = report
                .subjects
                .iter()
                .filter_map(|s| (axis.value)(&s.settings));
            let mut values: Vec<usize> = values.collect();
            values.sort_unstable();
            values.dedup();
            values.len()
        };
        AXES.iter().rev().max_by_key(values).unwrap_or(&AXES[0])
    }

    /// The rest of what tells one subject from another.
    fn line(&self, settings: &Settings) -> String {
        let setup = &settings.setup;
        let mut parts = vec![plain(&settings.name)];
        if setup.engine != "peer" {
            parts.push(setup.engine.clone());
        }
        for axis in &AXES {
            if axis.name != self.name
                && let Some(value) = (axis.value)(settings)
            {
                parts.push(format!("{value} {}", axis.name));
            }
        }
        parts.join(", ")
    }
}

/// Tokens a second of whole passes with their intervals.
fn speed(area: &Area<'_>, report: &Report) -> Drawn {
    let axis = Axis::of(report);
    let mut lines: Vec<(String, Vec<(f64, &Summary)>)> = Vec::new();
    for Measured {
        settings, figures, ..
    } in &report.subjects
    {
        let (Some(x), Some(y)) = ((axis.value)(settings), &figures.tokens) else {
            continue;
        };
        let name = axis.line(settings);
        match lines.iter_mut().find(|(other, _)| *other == name) {
            Some((_, points)) => points.push((x as f64, y)),
            None => lines.push((name, vec![(x as f64, y)])),
        }
    }
    let points = || lines.iter().flat_map(|(_, points)| points);
    let least = points().map(|(x, _)| *x).fold(f64::INFINITY, f64::min);
    let most = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let top = points().map(|(_, y)| y.high.unwrap_or(y.median).max(y.median));
    let top = top
        .fold(1.0, f64::max)
        .min(points().map(|(_, y)| y.median * 3.0).fold(1.0, f64::max));
    let left = if least.is_finite() {
        least.max(0.5) / 1.3
    } else {
        0.5
    };
    let mut chart = ChartBuilder::on(area)
        .caption(
            "Tokens a second, from reading to records, with 95% intervals",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d((left..most * 1.3).log_scale(), 0.0..top * 1.1)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc(axis.name)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_desc("tokens/s")
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for (number, (name, mut points)) in lines.into_iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let line = points.iter().map(|(x, y)| (*x, y.median));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)).point_size(3))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        let bars = points.iter().map(|(x, y)| {
            let (low, high) = (y.low.unwrap_or(y.median), y.high.unwrap_or(y.median));
            ErrorBar::new_vertical(*x, low, y.median, high, colour.filled(), 8)
        });
        chart.draw_series(bars)?;
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)
}

/// For each time, the share of single articles that were answered by then.
fn latency(area: &Area<'_>, report: &Report) -> Drawn {
    let lines: Vec<(String, Vec<f64>)> = report
        .subjects
        .iter()
        .map(|subject| {
            let rounds = subject.samples.iter().flat_map(|s| &s.rounds);
            let samples = rounds.flat_map(|round| &round.alone);
            let mut ms: Vec<f64> = samples.map(|s| s * 1e3).collect();
            ms.sort_by(f64::total_cmp);
            let setup = &subject.settings.setup;
            let length = setup
                .length
                .map_or_else(String::new, |n| format!(", {n} tokens"));
            let name = plain(&subject.settings.name);
            let name = format!(
                "{name}, {}, {} threads{length}",
                setup.engine, setup.threads
            );
            (name, ms)
        })
        // Batches play no part here.
        .fold(Vec::new(), |mut lines, line| {
            if !line.1.is_empty() && !lines.iter().any(|(name, _)| *name == line.0) {
                lines.push(line);
            }
            lines
        });
    let all = || lines.iter().flat_map(|(_, ms)| ms).copied();
    let (least, most) = (
        all().fold(f64::INFINITY, f64::min),
        all().fold(0.01, f64::max),
    );
    let left = if least.is_finite() {
        least.max(1e-3) / 1.2
    } else {
        0.01
    };
    let mut chart = ChartBuilder::on(area)
        .caption(
            "One article alone: share answered within a time",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d((left..most.max(left) * 1.2).log_scale(), 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("milliseconds")
        .y_desc("share of articles")
        .y_label_formatter(&|y| format!("{:.0}%", y * 100.0))
        .draw()?;
    for (number, (name, ms)) in lines.into_iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let n = ms.len() as f64;
        // A staircase: the share rises where an article was answered.
        let steps =
            (0..ms.len()).flat_map(|i| [(ms[i], i as f64 / n), (ms[i], (i + 1) as f64 / n)]);
        chart
            .draw_series(LineSeries::new(steps, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::LowerRight)
}

fn legend<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    position: SeriesLabelPosition,
) -> Drawn
where
    X: plotters::coord::ranged1d::Ranged<ValueType = f64>,
    Y: plotters::coord::ranged1d::Ranged<ValueType = f64>,
{
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()
}
