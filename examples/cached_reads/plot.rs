//! Hit rate and p99 over time, as a picture.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::table::{Point, Report};

type Drawn = Result<(), Box<dyn std::error::Error>>;

const CACHED: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const PLAIN: RGBColor = RGBColor(0x99, 0x99, 0x99);
const MARK: RGBColor = RGBColor(0xd6, 0x27, 0x28);

/// Draws a run into this file, as SVG.
pub(crate) fn draw(report: &Report, path: &Path) -> Drawn {
    let mut picture = String::new();
    paint(report, &mut picture)?;
    Ok(std::fs::write(path, picture)?)
}

fn paint(report: &Report, picture: &mut String) -> Drawn {
    let area = SVGBackend::with_string(picture, (960, 640)).into_drawing_area();
    area.fill(&WHITE)?;
    let (above, below) = area.split_vertically(320);
    let all = report.points_with.iter().chain(&report.points_without);
    let end = all.clone().map(|point| point.at).fold(1.0, f64::max);
    let slowest = all.filter_map(|point| point.p99_ms).fold(1.0, f64::max);

    let hits = series(&report.points_with, |point| {
        point.hit_rate.map(|rate| rate * 100.0)
    });
    let upper = Panel {
        title: "reads answered by the cache, %",
        end,
        top: 105.0,
        marks_at: 0.3,
        lines: vec![(CACHED, "with the cache", hits)],
    };
    upper.draw(&above, report)?;
    let with = series(&report.points_with, |point| point.p99_ms);
    let without = series(&report.points_without, |point| point.p99_ms);
    let lower = Panel {
        title: "p99 of reads, ms",
        end,
        // Room for words above the lines.
        top: slowest * 1.4,
        marks_at: 0.95,
        lines: vec![
            (PLAIN, "without the cache", without),
            (CACHED, "with the cache", with),
        ],
    };
    lower.draw(&below, report)?;
    area.present()?;
    Ok(())
}

fn series(points: &[Point], figure: impl Fn(&Point) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |point| Some((point as &Point).at).zip(figure(point));
    points.iter().filter_map(point).collect()
}

type Line = (RGBColor, &'static str, Vec<(f64, f64)>);

struct Panel {
    title: &'static str,
    /// Where the axes end.
    end: f64,
    top: f64,
    /// How high the first mark's name is, as a share of the height.
    marks_at: f64,
    lines: Vec<Line>,
}

impl Panel {
    fn draw<B: DrawingBackend>(self, area: &DrawingArea<B, Shift>, report: &Report) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let Self { end, top, .. } = self;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 18))
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..end, 0.0..top)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .x_desc("seconds")
            .draw()?;
        for (number, (mark, at)) in report.marks.iter().enumerate() {
            let line = PathElement::new([(*at, 0.0), (*at, top)], MARK.stroke_width(1));
            chart.draw_series([line])?;
            // One below the other: two marks may be close.
            let height = self.marks_at - 0.08 * number as f64;
            let place = (*at + end * 0.004, top * height);
            let font = ("sans-serif", 14).into_font().color(&MARK);
            chart.draw_series([Text::new(mark.name(), place, font)])?;
        }
        for (color, name, points) in self.lines {
            let legend = move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color);
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                .label(name)
                .legend(legend);
        }
        let place = match self.marks_at < 0.5 {
            true => SeriesLabelPosition::LowerLeft,
            false => SeriesLabelPosition::UpperLeft,
        };
        chart
            .configure_series_labels()
            .position(place)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    }
}
