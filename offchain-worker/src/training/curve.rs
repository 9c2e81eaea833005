//! The loss of a run, drawn.

use anyhow::{anyhow, Result};
use chasqui_primitives::RunId;
use plotters::prelude::*;
use serde_json::{json, Value};

/// Size of the picture.
const SIZE: (u32, u32) = (900, 500);

/// One round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its number.
    pub round: u32,
    /// Mean of its members' losses, nats a token.
    pub mean: f64,
    /// The least of them.
    pub least: f64,
    /// The greatest.
    pub most: f64,
    /// Whether the model moved by it.
    pub counts: bool,
}

impl Point {
    /// For machines.
    pub fn json(&self) -> Value {
        json!({
            "round": self.round,
            "loss": self.mean,
            "least": self.least,
            "most": self.most,
            "counts": self.counts,
        })
    }
}

/// The picture, as SVG: mean losses by round, what lies between its members' losses, and void rounds as crosses.
///
/// # Errors
/// There are no points, or their losses are no numbers.
pub fn draw(run: RunId, rounds: u32, points: &[Point]) -> Result<String> {
    let values = || points.iter().flat_map(|point| [point.least, point.most]);
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(f64::NEG_INFINITY, f64::max);
    if !least.is_finite() || !most.is_finite() {
        return Err(anyhow!("run {run} has no losses to draw"));
    }
    let margin = ((most - least) * 0.05).max(0.01);
    let mut picture = String::new();
    {
        let failed = |error: &dyn std::fmt::Display| anyhow!("drawing: {error}");
        let area = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|error| failed(&error))?;
        let last = points.iter().map(|point| point.round).max().unwrap_or(0);
        let end = last
            .saturating_add(1)
            .max(rounds.min(last.saturating_add(2)));
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("Run {run}: loss by round"), ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(0..end, (least - margin)..(most + margin))
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .x_desc("round")
            .y_desc("nats a token")
            .light_line_style(WHITE)
            .draw()
            .map_err(|error| failed(&error))?;
        let spans = points.iter().map(|point| {
            let ends = vec![(point.round, point.least), (point.round, point.most)];
            PathElement::new(ends, BLUE.mix(0.3).stroke_width(3))
        });
        chart.draw_series(spans).map_err(|error| failed(&error))?;
        let counted = || points.iter().filter(|point| point.counts);
        let line = LineSeries::new(
            counted().map(|point| (point.round, point.mean)),
            BLUE.stroke_width(2),
        );
        chart.draw_series(line).map_err(|error| failed(&error))?;
        let dots = counted().map(|point| Circle::new((point.round, point.mean), 3, BLUE.filled()));
        chart.draw_series(dots).map_err(|error| failed(&error))?;
        let lost = points
            .iter()
            .filter(|point| !point.counts)
            .map(|point| Cross::new((point.round, point.mean), 5, RED.stroke_width(2)));
        chart.draw_series(lost).map_err(|error| failed(&error))?;
        area.present().map_err(|error| failed(&error))?;
    }
    Ok(picture)
}
