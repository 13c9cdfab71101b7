//! The report's charts, as SVG texts.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::arms::Arm;
use super::super::measures::measure;
use super::super::results::{Figured, Results};

/// Drawn size, in pixels; the page scales it.
const SIZE: (u32, u32) = (640, 380);

/// Colours that stay apart for colour-blind readers (Okabe and Ito 2008).
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// The last part of a stacked bar: what was missed.
const MISSED: RGBColor = RGBColor(150, 150, 145);

impl Chart<'_> {
    fn colour(&self, series: usize) -> RGBColor {
        match self.stacked && series + 1 == self.series.len() {
            true => MISSED,
            false => COLOURS[series % COLOURS.len()],
        }
    }
}

/// A bar: what it is of, how high, and its interval.
struct Bar {
    value: f64,
    interval: Option<(f64, f64)>,
}

/// Bars side by side for each label, or on top of each other.
struct Chart<'a> {
    title: &'a str,
    series: Vec<&'a str>,
    groups: Vec<(String, Vec<Option<Bar>>)>,
    stacked: bool,
    /// Top of the axis; 1 for shares.
    top: f64,
    share: bool,
}

/// Every chart that `results` has figures for.
pub fn all(results: &Results) -> Vec<String> {
    let top = |keys: &[&str]| {
        let figures = results.arms.iter().flat_map(|arm| &arm.figures);
        let highest = figures
            .filter(|(key, _)| keys.contains(&key.as_str()))
            .map(|(_, figure)| figure.high)
            .fold(0.0, f64::max);
        (1.15 * highest).max(1.0)
    };
    let mut charts = vec![
        bars(
            results,
            "Key facts right, and answers fully correct",
            &["key_fact_recall", "fully_correct"],
        ),
        Chart {
            stacked: true,
            ..bars(
                results,
                "Answers: fully, partly, not correct",
                &["fully_correct", "partly_correct", "not_correct"],
            )
        },
        Chart {
            stacked: true,
            ..bars(
                results,
                "Similarity to the reference",
                &["similar", "somewhat_similar", "not_similar"],
            )
        },
        bars(
            results,
            "Refused: absent, near misses, answerable",
            &["refused_absent", "refused_near_miss", "refused_answerable"],
        ),
        Chart {
            top: top(&["tokens_in"]),
            share: false,
            ..bars(
                results,
                "Tokens read and written, mean",
                &["tokens_in", "tokens_out"],
            )
        },
        Chart {
            top: top(&["first_token_ms", "total_ms"]),
            share: false,
            ..bars(
                results,
                "Milliseconds to the first token and in all, median",
                &["first_token_ms", "total_ms"],
            )
        },
    ];
    charts.extend(recall(results));
    charts.iter().filter_map(|chart| draw(chart).ok()).collect()
}

fn bars<'a>(results: &Results, title: &'a str, keys: &[&'static str]) -> Chart<'a> {
    let bar = |figure: &Figured| Bar {
        value: figure.value,
        interval: Some((figure.low, figure.high)),
    };
    Chart {
        title,
        series: keys
            .iter()
            .map(|key| measure(key).map_or(*key, |measure| measure.title.trim()))
            .collect(),
        groups: results
            .arms
            .iter()
            .map(|arm| {
                let values = keys
                    .iter()
                    .map(|key| arm.figures.get(*key).map(bar))
                    .collect();
                (short(arm.arm).to_owned(), values)
            })
            .collect(),
        stacked: false,
        top: 1.0,
        share: true,
    }
}

fn recall(results: &Results) -> Option<Chart<'static>> {
    let found = results.retrieval.as_ref()?;
    let bar = |value, low, high| {
        Some(Bar {
            value,
            interval: Some((low, high)),
        })
    };
    Some(Chart {
        title: "The gold section among the first k passages",
        series: vec!["with place and crop", "without"],
        groups: found
            .at
            .iter()
            .map(|at| {
                let filtered = bar(at.filtered, at.filtered_low, at.filtered_high);
                let unfiltered = bar(at.unfiltered, at.unfiltered_low, at.unfiltered_high);
                (format!("k = {}", at.k), vec![filtered, unfiltered])
            })
            .collect(),
        stacked: false,
        top: 1.0,
        share: true,
    })
}

/// Short enough to stand below a bar.
fn short(arm: Arm) -> &'static str {
    match arm {
        Arm::Base => "base",
        Arm::BaseRag => "base+RAG",
        Arm::BaseProduct => "guarded",
        Arm::Tuned => "tuned",
        Arm::TunedRag => "tuned+RAG",
        Arm::TunedProduct => "t. guarded",
    }
}

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw(chart: &Chart<'_>) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (legend, plot) = root.split_vertically(64);
        head(&legend, chart)?;
        let groups = chart.groups.len().max(1) as f64;
        let mut axes = ChartBuilder::on(&plot)
            .margin_right(16)
            .x_label_area_size(30)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..groups, 0.0..chart.top)?;
        let share = chart.share;
        axes.configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 220))
            .axis_style(RGBColor(120, 120, 115))
            .y_labels(6)
            .y_label_formatter(&move |value| match share {
                true => format!("{:.0} %", 100.0 * value),
                false => format!("{value:.0}"),
            })
            .label_style(("sans-serif", 13))
            .draw()?;
        let area = axes.plotting_area();
        for (at, (label, values)) in chart.groups.iter().enumerate() {
            group(area, chart, at as f64, values)?;
            let (x, y) = area.map_coordinate(&(at as f64 + 0.5, 0.0));
            let style = centred(13);
            plot.draw_text(label, &style, plot_point(&plot, (x, y + 8)))?;
        }
        root.present()?;
    }
    Ok(svg)
}

type Area<'a, C> = DrawingArea<SVGBackend<'a>, C>;
type Plane =
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>;

/// A point of the whole drawing, as `area` counts it.
fn plot_point(area: &Area<'_, plotters::coord::Shift>, (x, y): (i32, i32)) -> (i32, i32) {
    let (left, top) = area.get_base_pixel();
    (x - left, y - top)
}

fn centred(size: u32) -> TextStyle<'static> {
    ("sans-serif", size)
        .into_text_style(&SIZE)
        .pos(Pos::new(HPos::Center, VPos::Top))
}

/// Title and legend.
fn head(area: &Area<'_, plotters::coord::Shift>, chart: &Chart<'_>) -> Drawn {
    area.draw_text(
        chart.title,
        &("sans-serif", 17).into_text_style(&SIZE),
        (14, 10),
    )?;
    let mut x = 14;
    for (number, name) in chart.series.iter().enumerate() {
        let colour = chart.colour(number);
        area.draw(&Rectangle::new([(x, 40), (x + 12, 52)], colour.filled()))?;
        area.draw_text(
            name,
            &("sans-serif", 13).into_text_style(&SIZE),
            (x + 17, 39),
        )?;
        // A generous mean width of a letter: the backend cannot measure text.
        x += 17 + 7 * i32::try_from(name.chars().count()).unwrap_or(0) + 14;
    }
    Ok(())
}

/// The bars of the group `at`.
fn group(area: &Area<'_, Plane>, chart: &Chart<'_>, at: f64, values: &[Option<Bar>]) -> Drawn {
    let count = match chart.stacked {
        true => 1.0,
        false => values.len().max(1) as f64,
    };
    let width = 0.8 / count;
    let mut floor = 0.0;
    for (number, bar) in values.iter().enumerate() {
        let colour = chart.colour(number);
        let Some(bar) = bar else { continue };
        let slot = if chart.stacked { 0.0 } else { number as f64 };
        let left = at + 0.1 + slot * width;
        let right = left + width * 0.92;
        area.draw(&Rectangle::new(
            [(left, floor), (right, floor + bar.value)],
            colour.filled(),
        ))?;
        let middle = f64::midpoint(left, right);
        let text = match chart.share {
            true => format!("{:.0}", 100.0 * bar.value),
            false => format!("{:.0}", bar.value),
        };
        if chart.stacked {
            if bar.value > 0.06 {
                let style = centred(13).color(&WHITE);
                let at = EmptyElement::at((middle, floor + bar.value));
                area.draw(&(at + Text::new(text, (0, 4), style)))?;
            }
            floor += bar.value;
            continue;
        }
        let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
        area.draw(&PathElement::new(
            [(middle, low), (middle, high)],
            BLACK.stroke_width(1),
        ))?;
        let above = (high + 0.015 * chart.top).min(chart.top);
        let at = EmptyElement::at((middle, above));
        area.draw(&(at + Text::new(text, (0, -13), centred(12))))?;
    }
    Ok(())
}
