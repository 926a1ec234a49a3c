//! Plots of every metric, updated while a stage runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use image::RgbImage;
use ipcgan_data::photo;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::sink::{Message, Scalars, Sink, Split, access};
use crate::{RunFolder, Stage, TrainingError};

/// Delay of the first plot.
const FIRST: Duration = Duration::from_secs(5);
/// Interval between plots.
const EVERY: Duration = Duration::from_secs(30);
/// Maximum number of points of a curve; at twice as many, neighbours are averaged.
const POINTS: usize = 1000;
/// Panels per row.
const COLUMNS: usize = 3;
/// Width and height of a panel in pixels.
const PANEL: [u32; 2] = [480, 300];
/// Decay of the exponential moving average of the smoothed curve.
const SMOOTHNESS: f64 = 0.95;
/// Name under which the font is registered with Plotters.
const FONT: &str = "sans-serif";

/// `plots/<stage>.png`: one panel per metric, training values pale and smoothed, validation values as dots.
pub(super) struct Plots {
    path: PathBuf,
    stage: Stage,
    panels: BTreeMap<String, Panel>,
    /// In order of first appearance.
    names: Vec<String>,
    due: Instant,
    /// Reused between plots, to avoid memory fragmentation.
    image: RgbImage,
}

#[derive(Default)]
struct Panel {
    train: Curve,
    valid: Curve,
}

/// Values by step, downsampled by averaging neighbours.
struct Curve {
    points: Vec<(f64, f64)>,
    /// Values per point.
    stride: usize,
    /// Sum of steps, sum of values, and count of the unfinished point.
    open: (f64, f64, usize),
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::with_capacity(2 * POINTS), stride: 1, open: (0.0, 0.0, 0) }
    }
}

impl Curve {
    fn push(&mut self, step: usize, value: f64) {
        if !value.is_finite() {
            return;
        }
        let (steps, values, count) = self.open;
        self.open = (steps + step as f64, values + value, count + 1);
        if self.open.2 < self.stride {
            return;
        }
        let (steps, values, count) = std::mem::take(&mut self.open);
        self.points.push((steps / count as f64, values / count as f64));
        if self.points.len() >= 2 * POINTS {
            let mean = |pair: &[(f64, f64)]| ((pair[0].0 + pair[1].0) / 2.0, (pair[0].1 + pair[1].1) / 2.0);
            let means: Vec<_> = self.points.chunks_exact(2).map(mean).collect();
            self.points.clear();
            self.points.extend(means);
            self.stride *= 2;
        }
    }

    fn smooth(&self) -> Vec<(f64, f64)> {
        let mut smooth = None;
        let mut weight = 0.0;
        let point = |&(step, value): &(f64, f64)| {
            // Bias correction as in Adam.
            let mean = SMOOTHNESS * smooth.unwrap_or(0.0) + (1.0 - SMOOTHNESS) * value;
            weight = SMOOTHNESS * weight + (1.0 - SMOOTHNESS);
            smooth = Some(mean);
            (step, mean / weight)
        };
        self.points.iter().map(point).collect()
    }
}

impl Plots {
    /// Plots of `stage`, starting with `scalars`.
    pub(super) fn new(
        run: &RunFolder,
        stage: Stage,
        scalars: Vec<(Split, usize, Scalars)>,
    ) -> Result<Self, TrainingError> {
        // Fails only for an invalid font.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        let folder = run.path().join("plots");
        fs::create_dir_all(&folder).map_err(access(&folder))?;
        let path = folder.join(format!("{stage}.png"));
        let mut plots = Self {
            path,
            stage,
            panels: BTreeMap::new(),
            names: Vec::new(),
            due: Instant::now() + FIRST,
            image: RgbImage::default(),
        };
        for (split, step, scalars) in scalars {
            plots.push(split, step, &scalars);
        }
        Ok(plots)
    }

    fn push(&mut self, split: Split, step: usize, scalars: &Scalars) {
        for (name, value) in scalars {
            if !self.panels.contains_key(&**name) {
                self.names.push(name.to_string());
                self.panels.insert(name.to_string(), Panel::default());
            }
            let Some(panel) = self.panels.get_mut(&**name) else { continue };
            match split {
                Split::Train => panel.train.push(step, *value),
                Split::Valid => panel.valid.push(step, *value),
            }
        }
    }

    fn draw(&mut self) -> Result<(), TrainingError> {
        self.due = Instant::now() + EVERY;
        let rows = self.names.len().div_ceil(COLUMNS).max(1);
        let [width, height] = [PANEL[0] * COLUMNS as u32, PANEL[1] * rows as u32];
        if self.image.dimensions() != (width, height) {
            self.image = RgbImage::new(width, height);
        }
        {
            let area = BitMapBackend::with_buffer(&mut self.image, (width, height)).into_drawing_area();
            let drawn = area.fill(&WHITE).and_then(|()| {
                let places = area.split_evenly((rows, COLUMNS));
                let panels = self.names.iter().zip(places);
                panels.into_iter().try_for_each(|(name, place)| draw_panel(&place, name, &self.panels[name]))
            });
            drawn.map_err(|error| TrainingError::Plot { stage: self.stage, reason: error.to_string() })?;
        }
        Ok(photo::write_png(&self.path, &self.image)?)
    }
}

impl Sink for Plots {
    fn record(&mut self, message: &Message) -> Result<(), TrainingError> {
        let Message::Scalars { split, step, scalars } = message else { return Ok(()) };
        self.push(*split, *step, scalars);
        if Instant::now() >= self.due { self.draw() } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<(), TrainingError> {
        if self.names.is_empty() { Ok(()) } else { self.draw() }
    }
}

type Place<'a> = DrawingArea<BitMapBackend<'a>, plotters::coord::Shift>;
type DrawingError = DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>;

fn draw_panel(place: &Place<'_>, name: &str, panel: &Panel) -> Result<(), DrawingError> {
    const TRAIN: RGBColor = RGBColor(31, 99, 160);
    const VALID: RGBColor = RGBColor(200, 80, 30);
    let points = || panel.train.points.iter().chain(&panel.valid.points);
    let min = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::INFINITY, f64::min);
    let max = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::NEG_INFINITY, f64::max);
    let [from, to, low, high] = [min(|p| p.0), max(|p| p.0), min(|p| p.1), max(|p| p.1)];
    if points().next().is_none() {
        return Ok(());
    }
    let [across, margin] = [(to - from).max(1.0), ((high - low) * 0.05).max(high.abs() * 1e-3).max(1e-9)];
    let mut chart = ChartBuilder::on(place)
        .caption(name, (FONT, 18))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(from..from + across, low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_labels(5)
        .y_labels(5)
        .label_style((FONT, 13))
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .draw()?;
    let pale = TRAIN.mix(0.25);
    chart.draw_series(LineSeries::new(panel.train.points.iter().copied(), pale))?;
    let smooth = TRAIN.stroke_width(2);
    chart.draw_series(LineSeries::new(panel.train.smooth(), smooth))?;
    let dots = panel.valid.points.iter().map(|point| Circle::new(*point, 4, VALID.filled()));
    chart.draw_series(dots)?;
    let line = VALID.stroke_width(1);
    chart.draw_series(LineSeries::new(panel.valid.points.iter().copied(), line))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_keeps_its_ends_and_its_mean() {
        let mut curve = Curve::default();
        for step in 1..=100_000 {
            curve.push(step, f64::from(step % 2 == 0));
        }

        assert!(curve.points.len() < 2 * POINTS);
        let [first, last] = [curve.points[0].0, curve.points[curve.points.len() - 1].0];
        assert!(first < 200.0 && last > 99_000.0, "{first} {last}");
        assert!(curve.points.iter().all(|(_, value)| (value - 0.5).abs() < 1e-9));
    }

    #[test]
    fn a_plot_has_a_panel_for_each_metric() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        let scalars = |step: usize| ["a", "b", "c", "d"].map(|name| (name.into(), step as f64)).to_vec();
        let scalars = (1..4).map(|step| (Split::Train, step, scalars(step))).collect();

        let mut plots = Plots::new(&run, Stage::Age, scalars).unwrap();
        plots.finish().unwrap();

        let image = image::open(folder.path().join("plots/age.png")).unwrap().into_rgb8();
        assert_eq!(image.dimensions(), (PANEL[0] * 3, PANEL[1] * 2));
        let coloured = |left: u32, top: u32| {
            (left..left + PANEL[0])
                .any(|x| (top..top + PANEL[1]).any(|y| image.get_pixel(x, y)[2] > image.get_pixel(x, y)[0]))
        };
        assert!(coloured(0, 0) && coloured(0, PANEL[1]) && !coloured(PANEL[0], PANEL[1]));
    }
}
